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
print("a pseudo-terminal and a socket, several clients each")
