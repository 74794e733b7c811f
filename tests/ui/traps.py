#!/usr/bin/env python3
"""Traps that a new user fell into, each as that user would meet it. Run as: traps.py VITRINE CASE."""
import json, os, subprocess, sys, tempfile, time
import with_display
from person import Person

vitrine = sys.argv[1]


def phases_list():
    """The list scrolls while the machine is paused, and a click on the strip's band marks its row and shows it."""
    p = Person(vitrine)
    p.boot()
    p.pause()
    s = p.wait(lambda s: s["phases_scroll_max"] > 50, "a list longer than its panel")
    p.at(*p.middle(s["parts"]["structures"], 0.5, 0.6))
    for _ in range(40):
        p.xdotool("click", 4)
    p.wait(lambda s: s["phases_scroll"] == 0, "the list's beginning")
    p.stays(lambda s: s["phases_scroll"] == 0, "the list's beginning")
    p.click_place("Memory")
    p.wait(lambda s: s["tab"] == 4, "another tab")
    p.click_part("strip", 0.93, 0.5)
    s = p.wait(lambda s: s["tab"] == 0 and s["phase"] > 10, "the band's row")
    p.wait(lambda s: s["phases_scroll"] > 20, "the row in sight")
    p.stays(lambda n: n["phase"] == s["phase"], "the mark")
    p.close()


def keys_come_back():
    """A guest that stops at run-to has lost the keyboard: F11 steps, and no key reaches the guest."""
    p = Person(vitrine)
    p.boot()
    p.key("ctrl+g")
    p.wait(lambda s: s["dialog"] == "go-to", "the dialog")
    p.type("copy_process")
    p.wait(lambda s: "copy_process" in s["matches"], "the symbol")
    p.key("Escape")
    p.wait(lambda s: s["dialog"] == "none", "no dialog")
    p.click_place("Runs to an a")
    p.wait(lambda s: s["dialog"] == "run-to", "the dialog")
    p.type("copy_process")
    p.wait(lambda s: s["dialog_text"] == "copy_process", "the text")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "none" and s["light"] in ("idle", "running"), "the run")
    p.click_part("screen")
    p.wait(lambda s: s["capture"] == "screen", "the guest's keyboard")
    p.type("hello\n")
    s = p.wait(lambda s: s["light"] == "paused", "the stop")
    s = p.wait(lambda s: s["capture"] == "none", "the keys")
    p.key("F11")
    p.wait(lambda n: n["step"] == s["step"] + 1, "one step")
    p.click_part("screen")
    p.stays(lambda s: s["capture"] == "none", "the keys, while the machine stands")
    p.close()


def large_interface():
    """The guest's picture grows with the interface, by whole steps."""
    p = Person(vitrine, "--ui-scale", "2", size="3840x2160")
    p.key("F12")
    p.wait(lambda s: s["picture"][2:] == [1440, 800], "a picture of twice the size")
    p.close()
    p = Person(vitrine, "--ui-scale", "3", size="1920x1080")
    s = p.wait(lambda s: s["picture"][2] > 0, "a picture")
    p.check(s["picture"][2] >= 300, "the picture is a stamp")
    p.close()


def invisible():
    """A display that does not answer: one clear line, and the machine on this terminal."""
    environment = {k: v for k, v in os.environ.items() if k not in ("WAYLAND_DISPLAY", "SDL_VIDEODRIVER", "XDG_RUNTIME_DIR")}
    environment["DISPLAY"] = ":9973"
    done = subprocess.run([vitrine, "--until", "step:1000", "--limit-seconds", "20"], env=environment, capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode != 0 or ":9973" not in done.stderr or "headless" not in done.stderr:
        sys.exit(f"status {done.returncode}, said {done.stderr!r}")


def lamp():
    """Running, idle, stopped, powered off, panicked: five different words."""
    p = Person(vitrine)
    p.check(p.state()["light"] == "paused", "power-on is a pause")
    p.boot()
    p.click_part("terminal")
    p.wait(lambda s: s["capture"] == "terminal", "COM1")
    p.type("spin 1 100\n")
    p.wait(lambda s: s["light"] == "running", "running")
    p.close()
    p = Person(vitrine, "--type", "poweroff\\n")
    p.key("F5")
    p.wait(lambda s: s["light"] == "powered off", "powered off")
    p.close()
    p = Person(vitrine, "--type", "panic\\n")
    p.key("F5")
    p.wait(lambda s: s["light"] == "panicked", "panicked")
    p.close()


def throughput():
    """Steps a second are steps by the clock on the wall, and the guest's clock is named beside it."""
    p = Person(vitrine, "--type", "spin 4 400\\n", "--stats", "stats.json")
    p.key("F5")
    p.wait(lambda s: s["light"] == "running" and "spin 4 400" in p.printed(), "a busy guest")
    time.sleep(1.5)
    first, began = p.state()["step"], time.time()
    shown = []
    while time.time() - began < 4:
        shown.append(p.state()["steps_per_second"])
        time.sleep(0.1)
    measured = (p.state()["step"] - first) / (time.time() - began)
    mean = sum(shown) / len(shown)
    p.check(0.7 * measured < mean < 1.4 * measured, f"shows {mean:.3g} steps/s, does {measured:.3g}")
    p.check(p.state()["times_real"] > 0, "no word on real time")
    # A restart begins with no measurement.
    p.key("ctrl+r")
    p.wait(lambda s: s["dialog"] == "restart", "the question")
    p.key("Escape")
    s = p.wait(lambda s: s["dialog"] == "none", "no question")
    p.check(s["step"] > 1000, "Escape keeps the run")
    p.key("ctrl+r")
    p.wait(lambda s: s["dialog"] == "restart", "the question")
    p.key("Return")
    p.wait(lambda s: s["step"] == 0 and s["steps_per_second"] == 0, "power-on without a speed")
    p.close()
    stats = json.load(open(os.path.join(p.folder, "stats.json")))
    for name in ("frames_per_second", "steps_per_second"):
        if name not in stats:
            sys.exit(f"--stats lacks {name}")


def go_to():
    """Enter takes the first suggestion, arrows choose another, Tab completes; the code's head names what is shown."""
    p = Person(vitrine, "--until", "phase:init")
    p.wait(lambda s: s["light"] == "paused" and s["phases"] > 10, "init")
    p.key("ctrl+g")
    p.wait(lambda s: s["dialog"] == "go-to", "the dialog")
    p.type("sched")
    s = p.wait(lambda s: len(s["matches"]) > 3 and s["match"] == 0, "suggestions")
    wanted = s["matches"][2]
    p.key("Down", "Down")
    p.wait(lambda s: s["match"] == 2, "the third")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "none" and s["code_title"].split("+")[0] == wanted, f"the code of {wanted}")
    p.key("ctrl+g")
    p.wait(lambda s: s["dialog"] == "go-to", "the dialog")
    p.type("copy_pro")
    p.wait(lambda s: s["match"] == 0, "suggestions")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "none" and s["code_title"].startswith("copy_pro"), "the first suggestion")
    p.close()


def dialog_keys():
    """Keys that came while one picture was drawn are all heard, in their order."""
    p = Person(vitrine)
    p.key("ctrl+g")
    p.wait(lambda s: s["dialog"] == "go-to", "the dialog")
    os.kill(p.app.pid, 19)  # SIGSTOP: a renderer that takes its time
    p.type("schedule_xyz", delay=1)
    p.key("BackSpace", "BackSpace", "BackSpace", "BackSpace")
    p.type("d", delay=1)
    os.kill(p.app.pid, 18)
    s = p.wait(lambda s: s["dialog_text"] == "scheduled", "every key in order", 5)
    os.kill(p.app.pid, 19)
    p.key("ctrl+a")
    p.type("abc", delay=1)
    os.kill(p.app.pid, 18)
    p.wait(lambda s: s["dialog_text"] == "abc", "Ctrl+A", 5)
    s = p.state()
    p.check(s["dialog_area"][1] + s["dialog_area"][3] <= 800, "the dialog is cut off")
    p.key("Escape")
    p.close()


def hints_wait():
    """A hint opens when the pointer rests, not while it passes."""
    p = Person(vitrine)
    area = p.state()["places"]["Page tables"]
    p.at(600, 600)
    p.xdotool("mousemove", *map(int, p.middle(area)))
    time.sleep(0.12)
    p.check(p.state()["tooltip"] == "", "the hint came at once")
    p.wait(lambda s: s["tooltip"] != "", "the hint", 3)
    p.close()


def escape_closes_the_menu():
    p = Person(vitrine)
    p.click_part("code", 0.12, 0.23, button=3)
    p.wait(lambda s: s["menu"], "the menu", 5)
    p.key("Escape")
    p.wait(lambda s: not s["menu"], "no menu", 5)
    p.close()


def no_next_phase():
    """F12 behind the last phase says so and runs nothing; on the way, phases stop in their callers."""
    p = Person(vitrine, "--until", "phase:trap_init")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0, "trap_init")
    p.key("F12")
    s = p.wait(lambda s: s["light"] == "paused" and "mm_init" in s["message"], "the next phase")
    p.check("boot_phase" not in s["code_title"], f"stopped in the stub: {s['code_title']}")
    p.click_place("Runs to an a")
    p.wait(lambda s: s["dialog"] == "run-to", "the dialog")
    p.type("phase:init\n")
    p.wait(lambda n: n["light"] == "paused" and n["step"] > s["step"], "init")
    p.key("F12")
    s = p.wait(lambda n: "no next phase" in n["message"], "the word")
    p.stays(lambda n: n["step"] == s["step"] and n["light"] == "paused", "the pause")
    p.close()


def remembers():
    """The open tab and dragged panels come back; Ctrl+L undoes them; settings that cannot be read are set aside."""
    config = tempfile.mkdtemp(prefix="vitrine-config-")
    p = Person(vitrine, config=config)
    before = p.state()["parts"]["code"]
    p.at(before[0] - 3, before[1] + 200)
    p.xdotool("mousedown", 1)
    p.at(before[0] - 60, before[1] + 200)
    p.at(before[0] - 83, before[1] + 200)
    p.xdotool("mouseup", 1)
    p.click_place("Devices")
    dragged = p.wait(lambda s: s["tab"] == 6 and s["parts"]["code"][0] < before[0] - 40, "the drag")["parts"]["code"]
    p.close()
    p = Person(vitrine, config=config)
    s = p.wait(lambda s: s["tab"] == 6, "the tab again")
    p.check(abs(s["parts"]["code"][0] - dragged[0]) <= 2, "the panels are elsewhere")
    p.key("ctrl+l")
    p.wait(lambda s: abs(s["parts"]["code"][0] - before[0]) <= 1, "the layout of old")
    p.close()
    path = os.path.join(config, "vitrine", "app.json")
    open(path, "w").write('{"splits": 7, "tab": [')
    p = Person(vitrine, config=config)
    p.wait(lambda s: "app.json.bad" in s["message"], "the remark")
    p.close()
    if not os.path.exists(path + ".bad"):
        sys.exit("the settings were not set aside")


def quick_drag():
    """Press, move and release faster than pictures are drawn: the panel goes where the pointer went."""
    p = Person(vitrine)
    before = p.state()["parts"]["code"]
    x, y = int(before[0]) - 3, int(before[1]) + 200
    p.at(x, y)
    p.xdotool("mousedown", 1, "mousemove", x - 30, y, "mousemove", x - 80, y, "mouseup", 1)
    s = p.wait(lambda s: abs(s["parts"]["code"][0] - (before[0] - 80)) <= 6, "the drag")
    p.close()


def breakpoints():
    """The Breakpoints tab: a mistake is told, a write to a variable stops the run there and backwards, and a restart keeps it."""
    p = Person(vitrine, "--ui-tab", "breakpoints")
    p.boot()
    p.pause()
    p.click_place("Breakpoint")
    p.type("write:jifies\n")
    p.wait(lambda s: "jiffies" in s["refused"] and s["breakpoints"] == 0, "the nearest name")
    p.click_place("Breakpoint")
    p.key("ctrl+a")
    p.type("write:jiffies if value % 2 == 0\n")
    p.wait(lambda s: s["breakpoints"] == 1 and not s["refused"], "the breakpoint")
    p.key("Escape")
    p.at(*p.middle(p.state()["parts"]["status"]))
    p.key("F5")
    first = p.wait(lambda s: s["light"] == "paused" and "jiffies" in s["message"], "the write")
    p.key("F5")
    second = p.wait(lambda s: s["light"] == "paused" and s["step"] > first["step"] and "jiffies" in s["message"], "the next write")
    p.key("shift+F5")
    p.wait(lambda s: s["step"] == first["step"] and "jiffies" in s["message"], "the write before")
    p.check(second["hits"] == 2, "two hits are counted")
    p.close()


def break_option():
    """--break on the command line is a breakpoint of the app; a mistake in it is told before a window opens."""
    p = Person(vitrine, "--break", "write:jiffies if value % 50 == 0", "--break", "switch:init count")
    s = p.wait(lambda s: s["breakpoints"] == 2 and s["tab"] == 7, "both, in their tab")
    p.check(s["light"] == "paused" and s["step"] == 0, "it runs before anybody asked")
    p.key("F5")
    p.wait(lambda s: s["light"] == "paused" and "jiffies" in s["message"], "the stop")
    p.close()
    p = Person(vitrine, "--until", "syscall:execve")
    p.wait(lambda s: s["light"] == "paused" and "execve" in s["message"], "the system call")
    p.close()
    server, display = with_display.start("800x600")
    done = subprocess.run([vitrine, "--break", "write:jifies"], env=dict(p.environment, DISPLAY=display), capture_output=True, text=True,
                          timeout=60)
    server.terminate()
    if done.returncode != 64 or "jiffies" not in done.stderr or done.stderr.count("\n") != 1:
        sys.exit(f"status {done.returncode}, said {done.stderr!r}")


def least_window():
    """No window is smaller than what its parts need."""
    p = Person(vitrine, size="1280x800")
    p.xdotool("windowsize", p.window, 200, 150)
    time.sleep(1)
    p.wait(lambda s: all(r[2] > 60 and r[3] > 20 for r in s["parts"].values()), "parts that can be read")
    geometry = dict(l.split("=") for l in p.xdotool("getwindowgeometry", "--shell", p.window).split())
    hints = subprocess.run(["xprop", "-id", p.window, "WM_NORMAL_HINTS"], env=p.environment, capture_output=True, text=True).stdout
    p.check("minimum size" in hints or int(geometry["WIDTH"]) >= 600, "no least size")
    p.close()


def no_recording():
    done = subprocess.run([vitrine, "--headless", "--serial", "null", "--replay", "/etc/passwd"], capture_output=True, text=True)
    if done.returncode != 66 or "/etc/passwd is not a Vitrine recording" not in done.stderr:
        sys.exit(f"status {done.returncode}, said {done.stderr!r}")


def travel():
    """Backwards by a step, a phase, a breakpoint; by the strip to anywhere; a key in the past makes a branch."""
    p = Person(vitrine)
    p.boot()
    p.pause()
    end = p.state()["last"]
    s = p.wait(lambda s: s["step"] == end and not s["past"], "the end of the known run")
    p.key("shift+F11")
    s = p.wait(lambda s: s["step"] == end - 1 and s["past"] and not s["travelling"], "one step back")
    p.key("F11")
    p.wait(lambda s: s["step"] == end and not s["past"], "and forth")
    p.key("shift+F12")
    p.wait(lambda s: not s["travelling"] and "phase init" in s["message"], "the last phase")
    p.key("shift+F12")
    s = p.wait(lambda s: not s["travelling"] and "phase kernel:" in s["message"], "the phase before")
    p.check("boot_phase" not in s["code_title"], "in the stub")
    strip = s["parts"]["strip"]
    p.click(*p.middle(strip, 0.5, 0.5))
    s = p.wait(lambda n: not n["travelling"] and n["step"] not in (s["step"], end), "the middle of the run")
    here = s["step"]
    # The console of that place, without what is said later; and all of it again at the end.
    lines = p.state()["terminal_lines"]
    p.click(*p.middle(strip, 0.01, 0.5))
    s = p.wait(lambda n: not n["travelling"] and n["step"] < here, "the firmware")
    p.wait(lambda s: s["terminal_lines"] < lines, "a console without the kernel's text")
    p.click(*p.middle(strip, 0.5, 0.5))
    s = p.wait(lambda n: not n["travelling"] and n["step"] > s["step"], "the middle again")
    here = s["step"]
    p.at(*p.middle(strip, 0.3, 0.5))
    p.xdotool("mousedown", 1)
    for dx in (0.32, 0.36, 0.4, 0.44):
        p.at(*p.middle(strip, dx, 0.5))
    p.xdotool("mouseup", 1)
    s = p.wait(lambda n: not n["travelling"] and n["step"] != here, "the drag's end")
    p.check(s["last"] == end and s["past"], "the future is known still")
    # From the past the machine runs its known future, and on.
    p.key("F5")
    p.wait(lambda s: s["step"] > end, "the run beyond what was known")
    p.pause()
    p.click(*p.middle(strip, 0.985, 0.5))
    s = p.wait(lambda s: s["past"] and not s["travelling"], "shortly before the end")
    p.key("F5")
    p.wait(lambda s: s["light"] != "paused", "the run")
    p.click_part("terminal")
    p.wait(lambda s: s["capture"] == "terminal", "COM1")
    if p.state()["past"]:
        p.type("u")
        p.wait(lambda s: s["branches"] == 1 or not s["past"], "a branch")
    p.close()


def branch():
    """Typing in the past keeps what was known as a branch, and says so."""
    p = Person(vitrine, "--type", "spin 2 2\\n")
    p.key("F5")
    p.wait(lambda s: p.printed().count("#") >= 2 and s["light"] == "idle", "the second prompt", 120)
    p.pause()
    end = p.state()["last"]
    p.click_part("strip", 0.9, 0.5)
    s = p.wait(lambda s: s["past"] and not s["travelling"], "the past")
    p.check(s["last"] == end, "the end is known")
    p.key("F5")
    p.click_part("terminal")
    p.wait(lambda s: s["capture"] == "terminal", "COM1")
    p.check(p.state()["past"], "still in the past")
    p.type("x")
    s = p.wait(lambda s: s["branches"] == 1 and not s["past"], "a branch")
    p.check("new branch" in s["message"], f"it does not say so: {s['message']}")
    # The line under the overview is the way back: the old future is the known one again, and the new one is kept.
    p.pause()
    p.wait(lambda s: "branch 1" in s["places"], "the branch's line")
    p.click_place("branch 1")
    s = p.wait(lambda s: s["past"] and not s["travelling"] and s["last"] == end, "the old future")
    p.check(s["branches"] == 1 and "branch 2" in p.state()["places"], "the new future is not kept")
    p.key("F5")
    p.wait(lambda s: s["step"] > end, "beyond the old end", 120)
    p.close()


def start_screen():
    """Cards and recent files, by keys alone: a disk of one's own, and it is offered again at the next start."""
    folder = tempfile.mkdtemp(prefix="vitrine-start-")
    config, disk = os.path.join(folder, "config"), os.path.join(folder, "spin.img")
    open(disk, "wb").write(b"\xeb\xfe" + bytes(508) + b"\x55\xaa" + bytes(1 << 20))
    p = Person(vitrine, "--start-screen", config=config)
    p.wait(lambda s: s["dialog"] == "start" and "My disk or kernel" in s["places"], "the start screen")
    p.key("Right", "Right", "Return")
    p.wait(lambda s: s["dialog"] == "open", "the file dialog")
    p.key("ctrl+a")
    p.type(folder + "/sp")
    p.wait(lambda s: s["matches"] == ["spin.img"], "the disk in the list")
    p.key("Tab")
    p.wait(lambda s: s["dialog_text"] == disk, "its name in the field")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "none" and "spin.img" in s["message"], "the machine")
    p.close()
    p = Person(vitrine, "--start-screen", config=config)
    p.wait(lambda s: "recent " + disk in s["places"], "the disk among the recent ones")
    p.key("Up", "Return")
    p.wait(lambda s: s["dialog"] == "none" and "spin.img" in s["message"], "the disk again")
    p.close()
    os.unlink(disk)
    p = Person(vitrine, "--start-screen", config=config)
    p.wait(lambda s: "recent " + disk in s["places"], "the disk that is gone")
    p.click_place("recent " + disk)
    p.wait(lambda s: s["dialog"] == "start" and "spin.img" in s["message"], "the word that it is gone")
    p.type("1")
    p.wait(lambda s: s["dialog"] == "none" and s["light"] in ("running", "idle") and s["step"] > 0, "the bundled kernel")
    p.close()


def file_dialog():
    """Folders are gone into and left by keys; a file that is there is not written over at once; nonsense is told."""
    p = Person(vitrine)
    os.makedirs(os.path.join(p.folder, "inner", "most"))
    open(os.path.join(p.folder, "inner", "notes.txt"), "w").write("no machine\n")
    p.key("ctrl+o")
    p.wait(lambda s: s["dialog"] == "open" and "inner/" in s["matches"], "the folder's contents")
    p.key("ctrl+a")
    p.type("./inn")
    p.wait(lambda s: s["matches"] == ["inner/"], "what fits")
    p.key("Down", "Return")
    p.wait(lambda s: s["dialog_text"] == "./inner/" and s["matches"] == ["../", "most/", "notes.txt"], "the inner folder")
    p.type("no")
    p.wait(lambda s: s["matches"] == ["notes.txt"], "typing goes on behind the folder's name")
    p.key("Down", "Return")
    p.wait(lambda s: s["dialog"] == "open" and s["dialog_text"].endswith("notes.txt"), "the file")
    p.wait(lambda s: "notes.txt" in s["message"], "what it is")
    p.key("ctrl+a")
    p.type("./inner/")
    p.wait(lambda s: "../" in s["matches"], "the folder again")
    p.click_place("file ../")
    p.wait(lambda s: "inner/" in s["matches"] and s["dialog_text"].startswith("/"), "the folder above")
    p.key("Escape")
    p.wait(lambda s: s["dialog"] == "none", "no dialog")
    kept = os.path.join(p.folder, "boot.vrec")
    open(kept, "w").write("precious")
    p.click_place("Records the ")
    p.wait(lambda s: s["dialog"] == "record" and s["dialog_text"] == "boot.vrec", "the dialog")
    p.key("Return")
    p.stays(lambda s: s["dialog"] == "record", "the question")
    p.check(open(kept).read() == "precious", "the file is written over")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "none", "the recording")
    p.check(open(kept, "rb").read(4) == b"VTRC", "no recording")
    p.close()


def save_recording():
    """A run that nobody recorded is saved, from its past as well; what is saved replays."""
    p = Person(vitrine)
    p.boot()
    p.click_part("terminal")
    p.wait(lambda s: s["capture"] == "terminal", "COM1")
    p.type("echo kept\n")
    p.wait_printed("\nkept")
    p.xdotool("keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
    p.pause()
    p.key("shift+F11")
    here = p.wait(lambda s: s["past"] and not s["travelling"], "a step back")["step"]
    p.key("ctrl+p")
    p.wait(lambda s: s["dialog"] == "palette", "the palette")
    p.type("save this run")
    p.wait(lambda s: s["dialog_text"] == "save this run", "the text")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "save", "the dialog")
    p.key("ctrl+a")
    p.type("kept.vrec\n")
    s = p.wait(lambda s: "saved kept.vrec" in s["message"], "the word")
    p.check(s["step"] == here, "the machine is elsewhere")
    file = os.path.join(p.folder, "kept.vrec")
    done = subprocess.run([vitrine, "recording", file, "verify"], capture_output=True, text=True, timeout=120)
    p.check(done.returncode == 0, f"it does not verify: {done.stdout}{done.stderr}")
    p.close()


def run_back():
    """Shift+F5 goes to the breakpoint before; without one it says what is missing."""
    p = Person(vitrine, "--until", "phase:mm_init")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0, "mm_init")
    p.key("shift+F5")
    p.wait(lambda s: "no breakpoint" in s["message"], "the word")
    s = p.state()
    p.key("F10", "F10", "F10")
    p.wait(lambda n: n["step"] > s["step"] and n["light"] == "paused", "three instructions")
    time.sleep(0.3)
    after = p.state()["step"]
    p.key("shift+F10")
    p.wait(lambda n: not n["travelling"] and n["step"] < after, "back over")
    p.close()


def window_changes_nothing():
    """The same step, watched through a window with a busy tab, has the same hash as without a window."""
    arguments = ["--type", "spin 3 3\\n", "--until", "step:60000000", "--state-hash"]
    alone = subprocess.run([vitrine, "--headless", "--serial", "null", *arguments], capture_output=True, text=True)
    for extra in (["--ui-tab", "run-queues"], ["--ui-tab", "memory", "--history", "off"]):
        p = Person(vitrine, *arguments, *extra)
        p.click_place("Once booted,")
        while p.state()["step"] < 60000000:
            p.at(300 + time.time() * 500 % 700, 300)
            p.wait(lambda s: s["light"] not in ("idle",) or True, "it")
        p.wait(lambda s: s["step"] == 60000000 and s["light"] == "paused", "the step")
        out = p.close()
        if out.split("state-hash")[1].split(",")[0] != alone.stdout.split("state-hash")[1].split(",")[0]:
            sys.exit(f"another state: {out!r} and {alone.stdout!r}")


def processors():
    """With several processors, one of them can be chosen; choosing changes what is shown and not the machine."""
    p = Person(vitrine, "--cpus", "3", "--until", "phase:init")
    s = p.wait(lambda s: s["light"] == "paused" and s["step"] > 0, "init")
    for index in (2, 1):
        p.click_place(f"CPU {index}")
        p.wait(lambda n: n["processor"] == index and n["step"] == s["step"], f"processor {index}")
    p.check(p.state()["rip"] != s["rip"], "another processor stands at the same place")
    p.close()


def task_table():
    """The task list tells class, nice, weight, switches and what a sleeper waits in."""
    out = subprocess.run([vitrine, "--headless", "--serial", "null", "--type", "spin 3 3\\n", "--until", "step:40000000", "--inspect", "tasks",
                          "--json"], capture_output=True, text=True).stdout
    tasks = json.loads(out)["tasks"]
    parent = [t for t in tasks if t["comm"] == "spin" and t["state"] == "S"]
    if len(parent) != 1 or parent[0]["waits_in"] != "hrtimer_nanosleep" or parent[0]["policy"] != "normal":
        sys.exit(f"the parent sleeps while its children spin, and is shown as {parent}")
    busy = [t for t in tasks if t["state"] == "R" and t["pid"] > 2]
    if len(busy) != 3 or not all(t["involuntary_switches"] for t in busy) or len({t["weight"] for t in busy}) < 2:
        sys.exit(f"three spinning tasks: {busy}")


def docking():
    """A tab dragged to the side of a place gets a place of its own, comes back with the next start, and Ctrl+L undoes it; a
    double click on a tab gives it everything and takes it back."""
    config = tempfile.mkdtemp(prefix="vitrine-config-")
    p = Person(vitrine, config=config)
    s = p.wait(lambda s: "Run queues" in s["places"], "the tabs")
    code, tab = s["dock"]["code"]["area"], s["places"]["Run queues"]
    p.check(not s["dock"]["run-queues"]["front"], "the queues are in front already")
    p.at(*p.middle(tab))
    p.xdotool("mousedown", 1)
    p.at(code[0] + code[2] / 2, code[1] + code[3] / 2)
    p.at(code[0] + code[2] / 2, code[1] + code[3] - 12)
    p.xdotool("mouseup", 1)
    s = p.wait(lambda s: s["dock"]["run-queues"]["front"] and s["dock"]["run-queues"]["area"][0] == code[0], "the place below the code")
    p.check(s["dock"]["code"]["front"] and s["dock"]["phases"]["front"], "what was there is gone")
    p.check(s["dock"]["run-queues"]["area"][1] > s["dock"]["code"]["area"][1], "it is not below")
    for want in ("memory", ""):
        p.at(5, 5)
        p.at(*p.middle(p.state()["places"]["Memory"]))
        p.xdotool("click", "--repeat", 2, "--delay", 60, 1)
        p.wait(lambda s: s["maximised"] == want, f"maximised: {want or 'nothing'}")
    p.close()
    p = Person(vitrine, config=config)
    p.wait(lambda s: s["dock"]["run-queues"]["front"] and s["dock"]["run-queues"]["area"][0] == code[0] and s["dock"]["code"]["front"], "the panel where it was left")
    p.key("ctrl+l")
    p.wait(lambda s: not (s["dock"]["run-queues"]["front"] and s["dock"]["phases"]["front"]) and abs(s["dock"]["code"]["area"][3] - code[3]) <= 1, "the layout of old")
    p.close()


def presets():
    """Every arrangement of the menu shows what it is named for; the theme changes at a click."""
    p = Person(vitrine)
    for name, panels in (("Boot", ["phases"]), ("Scheduler", ["run-queues"]), ("Memory", ["memory", "address-space", "slabs"]), ("Interrupts", ["interrupts"]),
                         ("Disk", ["block", "files"]), ("Debug", ["code", "breakpoints"]), ("Lesson", ["screen"]), ("Standard", ["phases", "code", "screen"])):
        p.click_place("Arrangements")
        p.wait(lambda s: f"Panels: {name}" in s["places"], "the menu")
        p.click_place(f"Panels: {name}")
        p.wait(lambda s: s["preset"] == name and all(s["dock"][panel]["front"] for panel in panels), f"{name}: {panels}")
    p.close()


def page_grid():
    """In the address space's grids a click descends: another entry of the PML4, then the tables below it."""
    p = Person(vitrine, "--ui-tab", "address-space")
    p.boot()
    p.pause()
    p.wait(lambda s: "Tables" in s["places"], "the tabs")
    p.click_place("Tables")
    s = p.wait(lambda s: "grid PML4" in s["places"] and "grid PT" in s["places"], "four levels")
    x, y, width, height = s["places"]["grid PML4"]
    columns = 64 if width / height > 6 else 32
    entry = 273  # the direct map: ffff8880'00000000
    p.click(x + (entry % columns + 0.5) * width / columns, y + (entry // columns + 0.5) * height / (512 // columns))
    p.wait(lambda s: "grid PDPT" in s["places"] and s["walk"] == 0xffff888000000000, "the direct map")
    p.close()


def changed_bytes():
    """Bytes that the last step wrote are lit: a call pushes its return address."""
    p = Person(vitrine, "--ui-tab", "bytes", "--until", "phase:mm_init")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0, "mm_init")
    p.click_place("rsp")
    p.at(*p.middle(p.state()["parts"]["structures"], 0.5, 0.6))
    p.xdotool("click", 4)  # a push writes below
    for _ in range(40):
        step = p.state()["step"]
        p.key("F11")
        s = p.wait(lambda s: s["step"] > step, "a step")
        if s["changed_bytes"]:
            break
    p.check(0 < s["changed_bytes"] <= 64, "no step of forty has lit a byte of the stack")
    p.close()


def tables_say_what_they_are():
    """The empty LDT of long mode is not explained by real mode; the TSS's I/O map base is no address."""
    p = Person(vitrine, "--ui-tab", "descriptors", "--until", "phase:init", size="1920x1080")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0 and "LDT" in s["places"], "PID 1")
    p.click_place("LDT")
    s = p.wait(lambda s: "LDTR" in s["why_empty"] or "real mode" in s["why_empty"].lower(), "why the LDT is empty")
    p.check("LDTR" in s["why_empty"] and "real mode" not in s["why_empty"].lower(), s["why_empty"])
    p.click_place("TSS")
    p.wait(lambda s: "io map base" in s["places"], "the TSS")
    tab = p.state()["tab"]
    p.click_place("io map base")
    p.stays(lambda s: s["tab"] == tab, "the table: an offset leads nowhere")
    p.close()


def ruler_has_room():
    """No label of the ruler touches another, at any width: the last tick and the step beside it, too."""
    p = Person(vitrine, "--until", "serial:# ")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0 and len(s["tick_labels"]) > 2, "a ruler")
    for size in ((1280, 800), (1033, 700), (901, 640), (1279, 800), (1140, 700)):
        p.xdotool("windowsize", p.window, *size)
        s = p.wait(lambda s: abs(s["parts"]["timeline"][2] - size[0]) < 20 and s["tick_labels"], f"a window of {size}")
        labels = sorted(s["tick_labels"])
        for a, b in zip(labels, labels[1:]):
            p.check(a[0] + a[2] + 2 <= b[0], f"{size}: labels {a} and {b} touch")
        right = s["ruler"][0] + s["ruler"][2]
        p.check(all(a[0] + a[2] <= right + 1 for a in labels), f"{size}: a label leaves the ruler, which ends at {right}: {labels}")
    p.close()


def one_icon_each():
    """No two buttons of the toolbar have one picture."""
    p = Person(vitrine)
    s = p.wait(lambda s: len(s["icons"]) > 8, "the toolbar")
    seen = {}
    for hint, icon in s["icons"]:
        p.check(icon not in seen or seen[icon] == hint, f"{hint!r} has the picture of {seen.get(icon)!r}")
        seen[icon] = hint
    p.close()


def watches():
    """An expression is worked out at each stop, in the past too; a mistake is told; all are remembered."""
    p = Person(vitrine, "--ui-tab", "watches", "--until", "phase:mm_init")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0 and "Watch" in s["places"], "mm_init")
    for text in ("step", "Zone@zones[1]", "nonsense_that_is_nowhere"):
        p.click_place("Watch")
        p.type(text + "\n")
        p.wait(lambda s: s["places"].get("Watch"), "the field")
    s = p.wait(lambda s: len(s["watched"]) == 3, "three watches")
    p.check(s["watched"][0].startswith(str(s["step"])), f"step {s['step']} is watched as {s['watched'][0]}")
    p.check(s["watched"][1].startswith("Zone at 0xffff"), s["watched"][1])
    p.check("no symbol" in s["watched"][2] or "nonsense" in s["watched"][2], s["watched"][2])
    p.click_place("Watch")
    p.type("u64[\n")
    p.wait(lambda s: s["refused"], "what is wrong with it")
    p.click(*p.middle(p.state()["parts"]["processor"], 0.5, 0.04))
    here = s["step"]
    p.key("shift+F11")
    p.wait(lambda s: s["step"] == here - 1 and s["watched"][0].startswith(str(here - 1)), "the value a step before")
    p.close()
    q = Person(vitrine, "--ui-tab", "watches", config=p.config)
    q.wait(lambda s: len(s["watched"]) == 3, "the watches of the run before")
    q.close()


def calls_and_names():
    """The call stack leads from the kernel across the system call into the program, by its own names."""
    p = Person(vitrine, "--ui-tab", "stack", "--type", "hello\\n", "--break", 'syscall:write if task.comm == "hello"')
    p.key("F5")
    s = p.wait(lambda s: s["light"] == "paused" and "hello" in p.printed() and s["calls"], "the system call")
    p.check(s["calls"][0].startswith("entry_SYSCALL_64") and s["calls"][1].startswith("user::print") and s["calls"][1].endswith("[hello]"), str(s["calls"]))
    p.key("ctrl+g")
    p.wait(lambda s: s["dialog"] == "go-to", "the dialog")
    p.type("program_main")
    p.key("Return")
    p.wait(lambda s: s["dialog"] == "none" and s["code_title"].startswith("program_main"), "the program's own code")
    p.close()


def search_in_code():
    """Ctrl+F finds the next instruction that holds the words, and the next one after that."""
    p = Person(vitrine, "--until", "rip:schedule")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0, "schedule")
    p.key("ctrl+f")
    p.wait(lambda s: s["finding"], "the field")
    p.type("call\n")
    s = p.wait(lambda s: s["searched"].startswith("found"), "a call")
    first = s["code_top"]
    p.wait(lambda s: s["finding"], "the field again")
    p.key("Return")
    p.wait(lambda s: s["searched"].startswith("found") and s["code_top"] > first, "the next call")
    p.wait(lambda s: s["finding"], "the field once more")
    p.key("ctrl+a")
    p.type("no such words\n")
    p.wait(lambda s: s["searched"].startswith("not found"), "that there is none")
    p.close()


def scheduler_curves():
    """The scheduler's curves are made while their panel is open."""
    p = Person(vitrine, "--ui-tab", "run-queues", "--type", "spin 4 400\\n")
    p.key("F5")
    p.wait(lambda s: "spin 4 400" in p.printed() and "Over time" in s["places"], "a busy guest")
    p.click_place("Over time")
    p.wait(lambda s: s["scheduler_samples"] > 8, "samples")
    p.pause()
    p.key("shift+F11")
    p.wait(lambda s: s["light"] == "paused" and s["past"], "a step back")
    p.close()


def splits_and_merges():
    """What the allocator does from one stop to the next is told."""
    p = Person(vitrine, "--ui-tab", "memory", "--until", "phase:sched_init", size="1920x1080")
    p.wait(lambda s: s["light"] == "paused" and s["step"] > 0, "sched_init")
    for _ in range(8):
        step = p.state()["step"]
        p.key("F12")
        s = p.wait(lambda s: s["light"] == "paused" and s["step"] > step, "the next phase")
        time.sleep(0.5)
        if p.state()["buddy_notes"]:
            break
    p.check(p.state()["buddy_notes"] > 0, "eight phases of the kernel have split no block")
    p.close()


def discs_change():
    """A disc goes into the drive of a machine that runs, and out again: input, which a recording holds."""
    folder = tempfile.mkdtemp(prefix="vitrine-discs-")
    for name in ("one.iso", "two.iso"):
        blocks = bytearray(64 * 2048)
        blocks[16 * 2048:16 * 2048 + 7] = b"\1CD001\1"
        blocks[60 * 2048:60 * 2048 + 7] = name.encode()
        open(os.path.join(folder, name), "wb").write(blocks)
    saved = os.path.join(folder, "run.vrec")
    disk = os.path.join(os.path.dirname(vitrine), "guest", "vitrine-disk.img")
    p = Person(vitrine, "--disk", disk, "--cdrom", os.path.join(folder, "one.iso"), "--boot", "disk", "--save-recording", saved)
    p.boot()
    p.key("ctrl+o")
    p.wait(lambda s: s["dialog"] == "open", "the file dialog")
    p.key("ctrl+a")
    p.type(os.path.join(folder, "two.iso") + "\n", delay=60)
    p.wait(lambda s: "two.iso is put into the CD drive" in s["message"], "the other disc")
    step = p.state()["step"]
    p.check(step > 1000, "the run goes on")
    p.key("ctrl+p")
    p.wait(lambda s: s["dialog"] == "palette", "the palette")
    p.type("eject", delay=60)
    p.wait(lambda s: "Eject the disc from the CD drive" in s["matches"], "the command")
    p.key("Return")
    p.wait(lambda s: "asked to give its disc back" in s["message"], "no disc")
    p.close()
    said = subprocess.run([vitrine, "recording", saved, "export"], capture_output=True, text=True, timeout=60).stdout
    if "two.iso" not in said:
        sys.exit("the recording does not hold the disc:\n" + said[-2000:])


def scale_is_checked():
    """A size of 0 or 100 is refused with one line."""
    for scale in ("0", "100", "-1", "nan", "big"):
        done = subprocess.run([vitrine, "--ui-scale", scale], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        if done.returncode != 64 or len(done.stderr.strip().splitlines()) != 1 or scale not in done.stderr:
            sys.exit(f"--ui-scale {scale}: status {done.returncode}, {done.stderr!r}")


def monkey():
    """A few hundred random clicks, keys and resizes."""
    p = Person(vitrine, "--until", "serial:# ", "--ui-show", "monkey:11:700")
    out, err = p.app.communicate(timeout=140)
    p.server.terminate()
    if p.app.returncode != 0:
        sys.exit(f"the app ended with status {p.app.returncode}: {out[-2000:]}{err[-4000:]}")


if __name__ == "__main__":
    globals()[sys.argv[2]]()  # CMakeLists.txt lists them
    print(f"{sys.argv[2]}: fine")
