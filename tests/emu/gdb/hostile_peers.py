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
    while not (b"$T02" in data and b"$QC" in data) and time.monotonic() < deadline:
        data += peer.recv(65536)
    check(b"$T02" in data, f"Ctrl-C behind a packet is not heard: {data[:200]!r}")
    # A second one is let go at once, not left waiting.
    try:
        check(connect(found).recv(1) == b"", "a second gdb gets an answer")
    except ConnectionResetError:
        pass
    # gdb dies: the machine stands where it is and waits, with nothing of the first one left.
    check(ask(peer, "QStartNoAckMode") == "OK" and ask(peer, "Z0,fffffff0,1") == "OK", "a breakpoint")
    peer.close()
    line = program.stderr.readline()
    check("gdb has gone without detaching; the machine stands at step" in line, line)
    peer = connect(found)
    check(ask(peer, "?").startswith("T"), "no gdb is served after one that died")
    peer.sendall(packet("z0,fffffff0,1"))
    data = b""
    while b"#" not in data:
        data += peer.recv(4096)
    check(data.startswith(b"+$"), f"the next gdb has the first one's way of acknowledging: {data!r}")
    peer.sendall(packet("k"))
    check(ended(program, "it does not end when it is killed") == 0, "status after k")
    # Who came first and says nothing does not keep gdb out.
    program, found = start("0")
    silent = connect(found)
    time.sleep(0.3)
    peer = connect(found)
    check(ask(peer, "?").startswith("T"), "no gdb is served beside a silent peer")
    peer.sendall(packet("k"))
    check(ended(program, "it does not end when it is killed") == 0, "status after k")
    silent.close()

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
    peer.close()
    deadline = time.monotonic() + PATIENCE
    while True: # until the first one's end is noticed, others are refused
        try:
            peer = connect(found)
            check(ask(peer, "?").startswith("T"), "no gdb is served after a flood")
            break
        except (ConnectionResetError, BrokenPipeError, SystemExit):
            check(time.monotonic() < deadline, "no gdb is served after a flood")
            time.sleep(0.1)
    peer.sendall(packet("k"))
    ended(program, "it does not end when it is killed")


def stopped(peer, what):
    """Until a stop reply."""
    data, deadline = b"", time.monotonic() + PATIENCE
    while not re.search(rb"\$T05|\$T02", data) and time.monotonic() < deadline:
        data += peer.recv(65536)
    check(re.search(rb"\$T05|\$T02", data), f"no stop reply after {what}: {data[:200]!r}")


def recorded_past():
    """gdb leaves a machine that is being recorded in its past: the recording is whole, and nothing can be written there."""
    with tempfile.TemporaryDirectory() as folder:
        file, disk = f"{folder}/r.vrec", f"{folder}/disk.img"
        Path(disk).write_bytes(b"\xeb\xfe" + bytes(508) + b"\x55\xaa" + bytes(1 << 20))
        program, found = start("0", "--record", file, "--disk", f"{disk},overlay={folder}/overlay", "--until", "step:3000000", "-m", "32M")
        peer = connect(found)
        peer.sendall(packet("QStartNoAckMode"))
        for _ in range(3): # some way on
            peer.sendall(packet("vCont;c"))
            time.sleep(0.3)
            peer.sendall(b"\x03")
            stopped(peer, "continue and Ctrl-C")
        check(ask(peer, "M10000,1:41") in ("OK", "E14"), "a write at the end of the recording")
        peer.sendall(packet("bc"))
        stopped(peer, "reverse-continue")
        check(ask(peer, "M10000,1:42").startswith("E.a recording goes on at its end"), "a write into the recorded past is not refused")
        peer.sendall(packet("k"))
        check(ended(program, "it does not end when it is killed") == 0, "status after k in the past")
        told = subprocess.run([VITRINE, "recording", file, "info"], capture_output=True, text=True, timeout=PATIENCE)
        check(told.returncode == 0, f"the recording is spoilt: {told.stderr}")
        # A replay writes nothing: not the overlay of the recorded run either.
        Path(f"{folder}/overlay").unlink(missing_ok=True)
        replayed = subprocess.run([VITRINE, "--headless", "--serial", "null", "--replay", file], capture_output=True, text=True, timeout=PATIENCE)
        check(replayed.returncode == 0, f"it does not replay: {replayed.returncode} {replayed.stderr}")
        check(not Path(f"{folder}/overlay").exists(), "a replay has written an overlay")


def left_in_the_past():
    """gdb goes back and detaches: the run goes on to its end; what it stopped at before stops it no more."""
    with tempfile.TemporaryDirectory() as folder:
        disk = f"{folder}/disk.img"
        Path(disk).write_bytes(b"\xeb\xfe" + bytes(508) + b"\x55\xaa" + bytes(1 << 20))
        for back in ("monitor", "stay"):
            program, found = start("0", "--disk", disk, "-m", "32M", "--until", "step:3000000", "--break", "step:1000",
                                   "--limit-steps", "5000000")
            peer = connect(found) # at the breakpoint
            check(ask(peer, "D") == "OK", "detach")
            check(ended(program, "it does not end") == 0 and "breakpoint" not in program.stderr.read(), "the next stop")
            program, found = start("0", "--disk", disk, "-m", "32M", "--until", "step:3000000", "--limit-steps", "5000000")
            peer = connect(found)
            if back == "monitor":
                peer.sendall(packet("QStartNoAckMode") + packet("qRcmd," + b"seek 1000".hex()))
            check(ask(peer, "D") is not None, "detach")
            check(ended(program, "it does not end") == 75, "status behind --until")
            told = program.stderr.read()
            check(told.endswith("--limit-steps 5000000 is reached at step 5000000\n"), told)


main()
recorded_past()
left_in_the_past()
