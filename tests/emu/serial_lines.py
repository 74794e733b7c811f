"""serial_lines.py VITRINE FOLDER: the guest's shell through a pseudo-terminal and through a Unix socket, one client after the other, as any
terminal program would use them; a live socket is not taken away, a dead one is."""
import os
import re
import select
import socket
import subprocess
import sys
import time

vitrine, folder = sys.argv[1:3]
os.makedirs(folder, exist_ok=True)


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def start(where):
    process = subprocess.Popen([vitrine, "--headless", "--serial", where], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    line = process.stderr.readline().decode()
    found = re.search(r"the serial line is (\S+)", line)
    check(found, f"--serial {where} said {line!r}")
    return process, found[1]


def expect(file, text, got=b""):
    deadline = time.monotonic() + 100
    while text.encode() not in got:
        check(time.monotonic() < deadline, f"no {text!r} in {got[-500:]!r}")
        if select.select([file], [], [], 1)[0]:
            got += os.read(file, 4096)
    return got


process, name = start("pty")
first = os.open(name, os.O_RDWR | os.O_NOCTTY)
expect(first, "vitrine# ")
os.write(first, b"echo $((6*7)) and more\r")
expect(first, "42 and more")
os.close(first)
second = os.open(name, os.O_RDWR | os.O_NOCTTY)
os.write(second, b"poweroff\r")
expect(second, "Requesting system poweroff")
check(process.wait(100) == 0, "the run did not end well")

path = os.path.join(folder, "line")
if os.path.exists(path):
    os.unlink(path)
process, name = start(f"unix:{path}")
time.sleep(1)  # nobody is there yet: what is said is kept
client = socket.socket(socket.AF_UNIX)
client.connect(path)
check("Welcome inside" in expect(client.fileno(), "vitrine# ").decode(errors="replace"), "what was said before the client came is lost")
refused = subprocess.run([vitrine, "--headless", "--serial", f"unix:{path}"], capture_output=True, text=True)
check(refused.returncode == 66 and "in use" in refused.stderr, f"a live socket was taken: {refused.returncode} {refused.stderr}")
client.sendall(b"echo first\r")
expect(client.fileno(), "first\r\nfirst")
client.close()
client = socket.socket(socket.AF_UNIX)
client.connect(path)
client.sendall(b"echo sec''ond\r")
expect(client.fileno(), "second")
process.kill()
process.wait()
check(os.path.exists(path), "a killed run leaves its socket")
process, name = start(f"unix:{path}")
client = socket.socket(socket.AF_UNIX)
client.connect(path)
expect(client.fileno(), "vitrine# ")
client.sendall(b"poweroff\r")
check(process.wait(100) == 0 and not os.path.exists(path), "the run did not end well, or its socket stayed")
# COM2 is a port of its own, and what is typed there is input like any other.
# A boot sector that says "ready" by INT 14h to port 1, answers three letters with their followers, and leaves by the debug exit.
SECTOR = bytes.fromhex("31c0 8ed8 be387c ac 84c0 7409 b401 ba0100 cd14 ebf2 b90300 b402 ba0100 cd14 f6c480 75f4 fec0 24df b401 ba0100 cd14 e2e7"
                       "b010 e6f4 f4 ebfd") + b"ready\0"
image = os.path.join(folder, "second.img")
with open(image, "wb") as out:
    out.write((SECTOR.ljust(510, b"\0") + b"\x55\xaa").ljust(64 * 512, b"\0"))
path = os.path.join(folder, "second")
recording = os.path.join(folder, "second.vrec")
for old in (path, recording):
    if os.path.exists(old):
        os.unlink(old)
process = subprocess.Popen([vitrine, "--headless", "--disk", image, "--serial", "null", "--serial2", f"unix:{path}",
                            "--record", recording, "--limit-seconds", "100"], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
check(b"the second serial line is unix:" in process.stderr.readline(), "--serial2 said nothing")
client = socket.socket(socket.AF_UNIX)
client.connect(path)
expect(client.fileno(), "ready")
client.sendall(b"abc")
expect(client.fileno(), "BCD")
check(process.wait(100) == 33, f"the echo ended with {process.returncode}")
out = os.path.join(folder, "second.out")
again = subprocess.run([vitrine, "--headless", "--replay", recording, "--serial", "null", "--serial2", f"file:{out}"], capture_output=True, text=True)
check(again.returncode == 0 and open(out, "rb").read() == b"readyBCD", f"the replay: {again.returncode} {again.stderr} {open(out, 'rb').read()!r}")
print("a pseudo-terminal and a socket, several clients each")
