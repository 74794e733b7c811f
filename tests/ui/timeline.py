#!/usr/bin/env python3
"""The timeline as a person uses it: zoom, pan, measure, hover, click. Run as: timeline.py VITRINE CASE."""
import sys, time
from person import Person

vitrine = sys.argv[1]


def running(p):
    """The shell's prompt, then a pause: interrupts, calls, faults, disk requests and switches lie behind."""
    p.boot()
    p.pause()
    s = p.wait(lambda s: s["axis"]["to"] == s["last"], "the whole run on the axis")
    for kind in ("interrupt", "syscall", "page-fault", "switch", "disk", "phase", "console"):
        p.check(s["events"][kind] > 5, f"no {kind} was noted")
    return s


def inside(axis, lanes, x):
    """The place that a pixel stands for."""
    return axis["from"] + (axis["to"] - axis["from"]) * (x - lanes[0]) / lanes[2]


def zoom_and_pan():
    """The wheel zooms at the pointer; a drag pans; the head's buttons do both ends."""
    p = Person(vitrine, "--cpus", "1")
    s = running(p)
    lanes = s["lanes"]
    x, y = p.middle(lanes, 0.7, 0.5)
    before = inside(s["axis"], lanes, x)
    p.at(x, y)
    for _ in range(6):
        p.xdotool("click", 4)
    s = p.wait(lambda s: s["axis"]["to"] - s["axis"]["from"] < s["last"] * 0.2, "a closer look")
    time.sleep(0.4)
    s = p.state()
    width = s["axis"]["to"] - s["axis"]["from"]
    p.check(abs(inside(s["axis"], lanes, x) - before) < width * 0.02, "the wheel does not zoom at the pointer")
    p.check(s["step"] == s["last"], "looking moves the machine")
    first = s["axis"]["from"]
    p.xdotool("mousedown", 1)
    for dx in (40, 120, 200):
        p.at(x + dx, y)
    p.xdotool("mouseup", 1)
    s = p.wait(lambda s: abs((first - s["axis"]["from"]) / width - 200 / lanes[2]) < 0.03, "the drag")
    p.check(s["step"] == s["last"], "a drag moved the machine")
    p.click_place("whole run")
    p.wait(lambda s: s["axis"]["from"] == 0 and s["axis"]["to"] == s["last"], "the whole run")
    p.click_place("axis time")
    s = p.wait(lambda s: s["axis"]["time"] and s["axis"]["to"] > 0, "the axis of time")
    p.click_place("zoom in")
    s = p.wait(lambda n: n["axis"]["to"] - n["axis"]["from"] < s["axis"]["to"] * 0.6, "the closer half")
    p.click_place("axis steps")
    p.wait(lambda s: not s["axis"]["time"] and 0 < s["axis"]["from"] < s["axis"]["to"] <= s["last"], "the same window in steps")
    p.close()


def measure():
    """A drag on the ruler, or with Shift in the lanes, measures; a click on the ruler ends it."""
    p = Person(vitrine, "--cpus", "1")
    s = running(p)
    ruler, lanes = s["ruler"], s["lanes"]
    p.at(*p.middle(ruler, 0.5, 0.5))
    p.xdotool("mousedown", 1)
    p.at(*p.middle(ruler, 0.6, 0.5))
    p.at(*p.middle(ruler, 0.9, 0.5))
    p.xdotool("mouseup", 1)
    s = p.wait(lambda s: "measured" in s["measured"], "a measure")
    steps = int(s["measured"].split(" steps")[0].split(":")[1].replace("\u2009", ""))
    p.check(abs(steps - s["last"] * 0.4) < s["last"] * 0.02, f"measured {steps} of {s['last']}")
    p.check("system calls" in s["measured"], "what lies between is not counted")
    p.check(s["step"] == s["last"], "measuring moved the machine")
    p.click(*p.middle(ruler, 0.2, 0.5))
    p.wait(lambda s: s["measured"] == "", "no measure")
    p.at(*p.middle(lanes, 0.3, 0.5))
    p.xdotool("keydown", "shift", "mousedown", 1)
    p.at(*p.middle(lanes, 0.4, 0.5))
    p.at(*p.middle(lanes, 0.5, 0.5))
    p.xdotool("mouseup", 1, "keyup", "shift")
    p.wait(lambda s: "measured" in s["measured"] and s["axis"]["from"] == 0, "a measure in the lanes")
    p.close()


def hover_and_click():
    """Under the pointer an event says in a sentence what it was; a click goes to its very step."""
    p = Person(vitrine, "--cpus", "1")
    s = running(p)
    said = {}
    for name, words in (("CPU 0", "CPU 0 went to"), ("Interrupts", "nterrupt"), ("System calls", " called "), ("Page faults", "page"),
                        ("Disk", "The disk was asked"), ("Console", "The console printed"), ("Phases", "(")):
        row = s["lane_rows"][name]
        for i in range(60):
            p.xdotool("mousemove", int(row[0] + row[2] * (0.99 - i * 0.012)), int(row[1] + row[3] - 2))
            time.sleep(0.05)
            said[name] = p.state()["pointed"]
            if words in said[name]:
                break
        p.check(words in said[name], f"{name} says {said[name]!r}")
    # A click on a page fault: the machine stands where it was raised, in the past.
    row = s["lane_rows"]["Page faults"]
    for i in range(60):
        x = int(row[0] + row[2] * (0.95 - i * 0.012))
        p.xdotool("mousemove", x, int(row[1] + row[3] - 2))
        time.sleep(0.08)
        if "page" in p.state()["pointed"]:
            break
    p.xdotool("click", 1)
    s = p.wait(lambda n: n["past"] and not n["travelling"], "the past")
    p.check(s["step"] < s["last"], "the fault lies behind")
    p.key("F11")
    p.wait(lambda n: n["step"] == s["step"] + 1 and "page" in n["message"].lower(), "the step that delivers it, told")
    p.close()


def who_wrote_this():
    """A right click on a byte asks who wrote it; the answer is a sentence, leads there, and can be asked further back."""
    p = Person(vitrine, "--cpus", "1", "--ui-tab", "bytes")
    end = running(p)["step"]
    p.key("ctrl+g")
    p.wait(lambda s: s["dialog"] == "go-to", "the dialog")
    p.type("jiffies")
    p.wait(lambda s: "jiffies" in s["matches"], "the symbol")
    p.click_place("Bytes")
    p.wait(lambda s: s["dialog"] == "none", "the bytes")
    area = p.wait(lambda s: "first byte" in s["places"], "a byte")["places"]["first byte"]
    p.click(*p.middle(area), button=3)
    p.wait(lambda s: s["menu"] and "Who wrote this?" in s["places"], "the menu")
    p.click_place("Who wrote this?")
    s = p.wait(lambda s: s["answer"], "the answer")
    p.check("changed" in s["answer"] and "before now" in s["answer"], f"not a sentence: {s['answer']}")
    p.check(s["step"] == end, "asking moved the machine")
    first = s["answer"]
    p.wait(lambda s: "Go there" in s["places"], "the way there")
    p.click_place("Go there")
    there = p.wait(lambda s: s["past"] and not s["travelling"], "the place")
    p.check(f"step {there['step']}" in first.replace("\u2009", ""), f"{there['step']} is not where {first}")
    p.click_place("And before that?")
    s = p.wait(lambda s: s["answer"] != first and s["answer"] and not s["travelling"], "the one before")
    p.click_place("Close")
    p.wait(lambda s: s["answer"] == "", "no card")
    p.close()


CASES = {f.__name__: f for f in (zoom_and_pan, measure, hover_and_click, who_wrote_this)}
if __name__ == "__main__":
    CASES[sys.argv[2]]()
    print(f"{sys.argv[2]}: fine")
