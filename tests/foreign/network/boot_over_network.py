"""boot_over_network.py VITRINE IPXE BZIMAGE DISK: iPXE's own driver brings up the network card, gets an address by DHCP, fetches the
bundled kernel from a web server on this computer and starts it, up to the shell. Then the same run again from its recording,
without the server: the same state. And what was captured is what was sent."""
import functools
import http.server
import os
import struct
import subprocess
import sys
import tempfile
import threading

vitrine, ipxe, bzimage, disk = sys.argv[1:5]


class Quiet(http.server.SimpleHTTPRequestHandler):
    asked = []

    def log_message(self, *_):
        Quiet.asked.append(self.path)


def run(*arguments):
    done = subprocess.run([vitrine, "--headless", *arguments], capture_output=True, text=True, errors="replace", timeout=500, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(arguments)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def frames(path):
    with open(path, "rb") as file:
        data = file.read()
    magic, link = struct.unpack_from("<I", data)[0], struct.unpack_from("<I", data, 20)[0]
    if magic != 0xA1B23C4D or link != 1:
        sys.exit(f"the capture begins with {data[:24].hex()}")
    at, out = 24, []
    while at < len(data):
        seconds, nanoseconds, stored, length = struct.unpack_from("<IIII", data, at)
        out.append((seconds * 10**9 + nanoseconds, data[at + 16:at + 16 + stored]))
        if stored != length or nanoseconds >= 10**9 or len(out[-1][1]) != stored:
            sys.exit("a frame of the capture is cut")
        at += 16 + stored
    return out


with tempfile.TemporaryDirectory() as folder:
    web, script, recording, capture = (os.path.join(folder, name) for name in ("www", "script", "net.vrec", "net.pcap"))
    os.mkdir(web)
    os.symlink(os.path.abspath(bzimage), os.path.join(web, "bzImage"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=web))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open(script, "w") as file:
        file.write(f"#!ipxe\ndhcp || goto failed\nkernel http://10.0.2.2:{server.server_port}/bzImage console=ttyS0 root=/dev/sda1 || goto failed\nboot\n"
                   ":failed\necho FAILED\n")
    out = run("--net", f"user,pcap={capture}", "--kernel", ipxe, "--initrd", script, "--disk", disk, "--until", "serial:vitrine# ", "--record", recording,
              "--state-hash", "--limit-seconds", "400")
    server.shutdown()
    server.server_close()
    if not any(path == "/bzImage" or "/bzImage" in str(path) for path in Quiet.asked) or "vitrine# " not in out:
        sys.exit(f"the kernel was not fetched or did not start: {Quiet.asked}\n{out[-2000:]}")
    first = out.strip().splitlines()[-1]
    again = run("--replay", recording, "--serial", "null", "--state-hash").strip().splitlines()[-1]
    if first != again or not first.startswith("state-hash"):
        sys.exit(f"the replay parts from the run: {first} / {again}")
    caught = frames(capture)
    kinds = {bytes(frame[12:14]) for _, frame in caught}
    if len(caught) < 100 or [t for t, _ in caught] != sorted(t for t, _ in caught) or not {b"\x08\x00", b"\x08\x06"} <= kinds:
        sys.exit(f"{len(caught)} frames of kinds {kinds} in the capture")
    print(f"{first}; {len(caught)} frames, replayed without the network")
