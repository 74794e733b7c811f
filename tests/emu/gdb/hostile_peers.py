#!/usr/bin/env python3
"""Who may connect to --gdb, and what he cannot do: probes, floods, peers that never read. The machine's run ends as it would have.

usage: hostile_peers.py VITRINE"""
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VITRINE = sys.argv[1]
PATIENCE = 60 # seconds until a state must have come


def start(where, *options):
    program = subprocess.Popen([VITRINE, "--headless", "--serial", "null", "--cpus", "1", "--gdb", where, *options],
                               stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    for line in program.stderr:
        if found := re.search(r"target remote (?:localhost:(\d+)|(\S+))", line):
            return program, found
    sys.exit(f"--gdb {where} said nothing of where it listens, status {program.wait()}")


def packet(text):
    return b"$%s#%02x" % (text.encode(), sum(text.encode()) & 255)


def ask(peer, text):
    peer.sendall(packet(text))
    data = b""
    while not re.search(rb"\$[^#]*#..", data):
        part = peer.recv(65536)
        if not part:
            sys.exit(f"no answer to {text}: {data!r}")
        data += part
    return re.search(rb"\$([^#]*)#", data)[1].decode()


def connect(found):
    peer = socket.create_connection(("localhost", int(found[1])), timeout=PATIENCE)
    peer.settimeout(PATIENCE)
    return peer


def check(holds, what):
    if not holds:
        sys.exit(f"hostile_peers.py: {what}")


def ended(program, what):
    try:
        return program.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        program.kill()
        sys.exit(f"hostile_peers.py: {what}")


def main():
    # A second machine on the same address is refused, and the first one does not hear of it.
    with tempfile.TemporaryDirectory() as folder:
        where = f"unix:{folder}/gdb"
        first, _ = start(where)
        second = subprocess.run([VITRINE, "--headless", "--serial", "null", "--gdb", where], capture_output=True, text=True, timeout=PATIENCE)
        check(second.returncode == 66 and "in use" in second.stderr, f"the second one: {second.returncode} {second.stderr}")
        time.sleep(0.5)
        check(first.poll() is None, "the probe of the second ended the first")
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(PATIENCE)
        peer.connect(f"{folder}/gdb")
        check(ask(peer, "?").startswith("T"), "no gdb is served after the probe")
        peer.sendall(packet("k"))
        check(ended(first, "it does not end when it is killed") == 0, "status after k")
        check(not Path(f"{folder}/gdb").exists(), "the socket is left behind")

    # Who connects and goes is not gdb.
    program, found = start("0")
    connect(found).close()
    peer = connect(found)
    check(ask(peer, "?").startswith("T"), "no gdb is served after a knock")
    # Ctrl-C is heard behind other packets.
    peer.sendall(packet("c") + packet("qC"))
    time.sleep(0.3)
    peer.sendall(b"\x03")
    data = b""
    deadline = time.monotonic() + PATIENCE
    while b"$T02" not in data and time.monotonic() < deadline:
        data += peer.recv(65536)
    check(b"$T02" in data, f"Ctrl-C behind a packet is not heard: {data[:200]!r}")
    peer.close()
    ended(program, "it does not end when gdb goes")

    # A peer that asks and never reads cannot hold the run beyond its limit.
    program, found = start("0", "--limit-seconds", "4")
    peer = connect(found)
    peer.setblocking(False)
    question = packet("m0,4000") * 100
    deadline = time.monotonic() + PATIENCE
    while program.poll() is None and time.monotonic() < deadline:
        try:
            peer.send(question)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            time.sleep(0.05)
    check(program.poll() is not None, "a peer that never reads holds the run")

    # Packets beyond reason while the machine runs: the peer is let go.
    program, found = start("0", "--limit-seconds", "50")
    peer = connect(found)
    peer.sendall(packet("c"))
    try:
        for _ in range(2000):
            peer.sendall(packet("qC") * 100)
    except (BrokenPipeError, ConnectionResetError):
        pass
    ended(program, "a flood does not end the session")


main()
