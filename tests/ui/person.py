"""A person at the app: xdotool's keys and mouse on an X display of its own, and eyes (--ui-state: what the window shows).
Used by traps.py and its siblings."""
import json, os, shutil, subprocess, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import with_display


class Person:
    def __init__(self, vitrine, *arguments, size="1280x800", screen=None, config=None, environment=None):
        self.folder = tempfile.mkdtemp(prefix="vitrine-person-")
        self.config = config or os.path.join(self.folder, "config")
        self.state_file = os.path.join(self.folder, "state.json")
        self.serial = os.path.join(self.folder, "serial")
        self.server, display = with_display.start(screen or size)
        self.environment = dict(os.environ, DISPLAY=display, SDL_RENDER_DRIVER="software", SDL_VIDEODRIVER="x11",
                                XDG_CONFIG_HOME=self.config, ASAN_OPTIONS="detect_leaks=0")
        self.environment.pop("WAYLAND_DISPLAY", None)
        self.environment.update(environment or {})
        window = ["--window", size] if size else []
        self.app = subprocess.Popen([vitrine, *window, "--serial", "file:" + self.serial, "--ui-state", self.state_file,
                                     "--limit-seconds", "150", *arguments], env=self.environment, cwd=self.folder,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait(lambda s: True, "the window")
        self.window = ""
        end = time.time() + 20
        while not self.window and time.time() < end:
            self.window = self.xdotool("search", "--name", "^Vitrine$").strip()
        self.xdotool("windowfocus", "--sync", self.window)

    def fail(self, why):
        picture = os.path.join(self.folder, "failed.png")
        state = self.state() if os.path.exists(self.state_file) else {}
        state = json.dumps({k: v for k, v in state.items() if k not in ("places", "parts")})
        self.app.kill()
        self.server.terminate()
        out, err = self.app.communicate()
        sys.exit(f"{why}\n{state}\n{out}{err}")

    def xdotool(self, *words):
        return subprocess.run(["xdotool", *map(str, words)], env=self.environment, capture_output=True, text=True).stdout

    def state(self):
        for _ in range(50):
            try:
                return json.load(open(self.state_file))
            except (FileNotFoundError, json.JSONDecodeError):
                time.sleep(0.02)
        return {}

    def wait(self, what, name, seconds=60):
        end = time.time() + seconds
        while time.time() < end:
            if self.app.poll() is not None:
                self.server.terminate()
                sys.exit(f"{name}: the app ended with status {self.app.returncode}: {self.app.stderr.read()}")
            state = self.state() if os.path.exists(self.state_file) else None
            if state and what(state):
                return state
            time.sleep(0.03)
        self.fail(f"waited in vain for {name}")

    def stays(self, what, name, seconds=1.0):
        end = time.time() + seconds
        while time.time() < end:
            if not what(self.state()):
                self.fail(f"does not stay: {name}")
            time.sleep(0.05)

    def check(self, truth, why):
        if not truth:
            self.fail(why)

    def printed(self):
        return open(self.serial, errors="replace").read() if os.path.exists(self.serial) else ""

    def wait_printed(self, what, seconds=60):
        self.wait(lambda s: what in self.printed(), f"{what!r} on COM1", seconds)

    def key(self, *keys):
        for each in keys:
            self.xdotool("key", each)

    def type(self, text, delay=40):
        for i, line in enumerate(text.split("\n")):
            if i:
                self.key("Return")
            if line:
                self.xdotool("type", "--delay", delay, line)

    def at(self, x, y):
        self.xdotool("mousemove", int(x), int(y))
        time.sleep(0.15)

    def click(self, x, y, button=1):
        self.at(x, y)
        self.xdotool("click", button)
        time.sleep(0.15)

    def middle(self, area, dx=0.5, dy=0.5):
        return area[0] + area[2] * dx, area[1] + area[3] * dy

    def click_part(self, name, dx=0.5, dy=0.5, button=1):
        self.click(*self.middle(self.state()["parts"][name], dx, dy), button)

    def click_place(self, name):
        self.click(*self.middle(self.state()["places"][name]))

    def boot(self):
        self.key("F5")
        self.wait(lambda s: s["light"] == "idle" and self.printed().rstrip(" ").endswith("#"), "the prompt")

    def pause(self):
        self.key("F5")
        self.wait(lambda s: s["light"] == "paused", "the pause")

    def close(self, status=0):
        self.xdotool("keydown", "ctrl", "keydown", "alt", "keyup", "alt", "keyup", "ctrl")
        self.wait(lambda s: s["capture"] == "none", "the keys")
        self.key("ctrl+q")
        try:
            out, err = self.app.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.fail("Ctrl+Q did not close the app")
        self.server.terminate()
        self.server.wait()
        if self.app.returncode != status:
            sys.exit(f"the app ended with status {self.app.returncode}: {out}{err}")
        return out

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)
