#!/usr/bin/env python3
"""A person at the app, under Xvfb: keys and mouse through xdotool. Boots with F5, types on the serial terminal and on the
guest's keyboard, and holds what COM1 printed against it. Run as: with_display.py 1280x800 interact.py VITRINE FOLDER."""
import os, subprocess, sys, time

vitrine, folder = sys.argv[1], sys.argv[2]
serial = os.path.join(folder, "interact.serial")
if os.path.exists(serial):
    os.remove(serial)
os.environ.update(SDL_RENDER_DRIVER="software", SDL_VIDEODRIVER="x11", ASAN_OPTIONS="detect_leaks=0")  # leaks: see check_picture.py
os.environ["XDG_CONFIG_HOME"] = os.path.join(folder, "interact.config")
os.environ.pop("WAYLAND_DISPLAY", None)
app = subprocess.Popen([vitrine, "--window", "1280x800", "--serial", "file:" + serial, "--limit-seconds", "100", "--state-hash"], stdout=subprocess.PIPE, text=True)


def fail(why):
    app.kill()
    sys.exit(why)


def xdotool(*words):
    subprocess.run(["xdotool", *words], check=True)


def printed():
    return open(serial, errors="replace").read() if os.path.exists(serial) else ""


def wait_for(what, seconds=40):
    end = time.time() + seconds
    while not what():
        if app.poll() is not None:
            sys.exit(f"the app ended with status {app.returncode}")
        if time.time() > end:
            fail(f"waited in vain; COM1 said: {printed()[-400:]!r}")
        time.sleep(0.1)


def click(x, y):
    xdotool("mousemove", str(x), str(y))
    time.sleep(0.3)
    xdotool("click", "1")
    time.sleep(0.5)


window = []
wait_for(lambda: window or window.extend(subprocess.run(["xdotool", "search", "--name", "^Vitrine$"], capture_output=True, text=True).stdout.split()) or window)
time.sleep(1)
xdotool("windowfocus", window[0])
if printed():
    fail("the machine ran before anybody asked for it")
xdotool("key", "F5")
wait_for(lambda: printed().rstrip(" ").endswith("#"))
click(250, 470)  # the serial terminal
xdotool("type", "--delay", "40", "echo over com1")
xdotool("key", "Return")
wait_for(lambda: "\nover com1" in printed())
click(250, 200)  # the screen
xdotool("type", "--delay", "40", "echo Over The Keyboard")
xdotool("key", "Return")
wait_for(lambda: "\nOver The Keyboard" in printed())
xdotool("keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
time.sleep(0.5)
xdotool("key", "ctrl+q")
try:
    out, _ = app.communicate(timeout=30)
except subprocess.TimeoutExpired:
    fail("Ctrl+Q did not close the app")
if app.returncode != 0:
    sys.exit(f"the app ended with status {app.returncode}")
if "state-hash" not in out:
    sys.exit(f"no state hash at the end: {out!r}")
print("booted by F5, typed on both consoles, closed by Ctrl+Q")
