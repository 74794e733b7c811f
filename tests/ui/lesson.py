#!/usr/bin/env python3
"""Lessons, the palette and the new panels as a person uses them. Run as: lesson.py VITRINE CASE."""
import subprocess, sys, time
from person import Person

vitrine = sys.argv[1]


def lesson():
    """A lesson is opened from the toolbar, done part by part with a click, points at panels, and lets the reader wander off and come back."""
    p = Person(vitrine)
    p.click_place("Pages of a b")
    p.wait(lambda s: s["dialog"] == "lessons" and "08-a-life" in s["places"], "the list")
    p.click_place("08-a-life")
    s = p.wait(lambda s: s["lesson"] == "08-a-life" and s["dialog"] == "none", "the lesson")
    for part in range(5):
        p.wait(lambda s: s["lesson_part"] == part and "Do it" in s["places"] and not s["lesson_working"], f"the button of part {part}")
        time.sleep(0.3)
        p.click_place("Do it")
        s = p.wait(lambda s: s["lesson_part"] == part + 1, f"the end of part {part}")
        p.check(s["lesson_failed"] == 0, "a claim does not hold in the window")
        if part == 1:
            # Wander off: into the past, another panel; the next part comes back.
            p.key("shift+F12")
            p.wait(lambda n: n["past"] and not n["travelling"] and n["step"] < s["step"], "the past")
            p.key("F11")
    s = p.wait(lambda s: s["lesson_finished"], "the end")
    p.check(s["marks"] >= 3, "the lesson's marks are not on the timeline")
    p.check(s["pointed_part"] == "timeline", "it points at nothing")
    p.click_place("Leave") if "Leave" in s["places"] else None
    p.close()
    done = subprocess.run([vitrine, "--lesson", "no-such", "--check"], capture_output=True, text=True)
    if done.returncode != 66 or "no lesson is called no-such" not in done.stderr:
        sys.exit(f"status {done.returncode}, {done.stderr!r}")
    done = subprocess.run([vitrine, "--lessons"], capture_output=True, text=True)
    if done.returncode != 0 or "08-a-life" not in done.stdout:
        sys.exit(f"--lessons: status {done.returncode}, {done.stdout!r} {done.stderr!r}")


def palette():
    """Ctrl+P finds panels, phases, tasks, symbols, lessons; Enter does it; Alt+Left goes back to what was looked at."""
    p = Person(vitrine, "--until", "phase:init")
    p.wait(lambda s: s["light"] == "paused" and s["phases"] > 10, "init")
    first = p.state()
    for what, wanted, then in (("kernel:mount", "kernel:mount_root", lambda s: s["past"] and not s["travelling"]),
                               ("end of the run", "Go to the end of the run", lambda s: not s["past"] and not s["travelling"]),
                               ("system c", "System calls", lambda s: s["tab"] == 9),
                               ("do_wp_p", "do_wp_page", lambda s: s["code_title"].startswith("do_wp_page"))):
        p.key("ctrl+p")
        p.wait(lambda s: s["dialog"] == "palette", "the palette")
        p.type(what)
        p.wait(lambda s: s["dialog_text"] == what and s["match"] == 0 and wanted in s["matches"][0], f"{wanted} at the top")
        p.key("Return")
        p.wait(lambda s: s["dialog"] == "none" and then(s), wanted)
    p.key("alt+Left")
    p.wait(lambda s: not s["code_title"].startswith("do_wp_page"), "the code before")
    p.key("alt+Left")
    p.wait(lambda s: s["tab"] == first["tab"], "the tab before")
    p.key("alt+Right", "alt+Right")
    p.wait(lambda s: s["tab"] == 9 and s["code_title"].startswith("do_wp_page"), "and forth")
    p.key("ctrl+p")
    p.wait(lambda s: s["dialog"] == "palette", "the palette")
    p.type("zzzzqq")
    p.wait(lambda s: s["matches"] == [], "nothing")
    p.key("Return")
    p.key("Escape")
    p.wait(lambda s: s["dialog"] == "none", "no palette")
    p.key("m")
    p.wait(lambda s: s["marks"] == 1, "a mark")
    p.close()


CASES = {f.__name__: f for f in (lesson, palette)}
if __name__ == "__main__":
    CASES[sys.argv[2]]()
    print(f"{sys.argv[2]}: fine")
