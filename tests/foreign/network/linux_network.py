"""linux_network.py VITRINE KERNEL INITRD BLOB: Debian's generic Linux on two processors takes an address by DHCP through its e1000 driver,
downloads a file from this computer and serves one to it through a forwarded port. Every byte arrives; the run replays without a
network to the same state."""
import functools
import hashlib
import http.server
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request

vitrine, kernel, initrd, blob = sys.argv[1:5]
with open(blob, "rb") as file:
    wanted = file.read()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


with tempfile.TemporaryDirectory() as folder:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=os.path.dirname(os.path.abspath(blob))))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://10.0.2.2:{server.server_port}/{os.path.basename(blob)}"
    forward, recording = free_port(), os.path.join(folder, "net.vrec")
    command = [vitrine, "--headless", "--cpus", "2", "--net", f"user,hostfwd=tcp::{forward}-:80", "--kernel", kernel, "--initrd", initrd, "--append",
               f"console=ttyS0 quiet panic=-1 url={url}", "--no-reboot", "--record", recording, "--state-hash", "--limit-seconds", "900"]
    run = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines, problems, got = [], [], None
    for line in run.stdout:
        lines.append(line.decode(errors="replace").rstrip())
        if lines[-1].startswith("test: serving"):
            try:
                got = urllib.request.urlopen(f"http://127.0.0.1:{forward}/blob", timeout=200).read()
            except OSError as error:
                problems.append(f"the guest's server: {error}")
            run.stdin.write(b"\n")
            run.stdin.flush()
    lines.append(run.stderr.read().decode(errors="replace"))
    text = "\n".join(lines)
    print(text)
    for line in ("test: lease 10.0.2.15 10.0.2.2 10.0.2.3", f"test: downloaded {hashlib.sha256(wanted).hexdigest()}", "test: lost 0", "test: complaints 0"):
        if line not in text:
            problems.append(f"not said: {line}")
    if got != wanted:
        problems.append(f"the guest's server sent {len(got or b'')} bytes, {len(wanted)} were wanted, or others")
    if run.wait() != 0:
        problems.append(f"status {run.returncode}")
    hashes = [line for line in lines if line.startswith("state-hash")]
    again = subprocess.run([vitrine, "--headless", "--serial", "null", "--replay", recording, "--state-hash"], capture_output=True, text=True, timeout=800)
    if not hashes or again.stdout.strip() != hashes[-1]:
        problems.append(f"the replay parts from the run: {hashes} / {again.stdout} {again.stderr}")
    for problem in problems:
        print("FAILED:", problem)
    sys.exit(bool(problems))
