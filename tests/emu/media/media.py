#!/usr/bin/env python3
"""Discs that come and go while the machine runs: media.py VITRINE BIOS PROGRAM FOLDER. The guest sees them, behind AHCI and IDE; a
recording holds them, replays bit for bit, and notices another disc; a saved state finds its disc again; bad input gets one line."""
import shutil
import struct
import subprocess
import sys
from pathlib import Path

VITRINE, BIOS, PROGRAM, FOLDER = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
BLOCK = 2048


def disc(name, text, media=0):
    """A bootable disc (El Torito 1.0) with `text` in block 30."""
    blocks = bytearray(64 * BLOCK)
    blocks[16 * BLOCK:16 * BLOCK + 7] = b"\1CD001\1"
    blocks[17 * BLOCK:17 * BLOCK + 30] = b"\0CD001\1EL TORITO SPECIFICATION"
    struct.pack_into("<I", blocks, 17 * BLOCK + 0x47, 19)
    catalogue = bytearray(64)
    struct.pack_into("<BBH24sHBB", catalogue, 0, 1, 0, 0, b"Vitrine", 0, 0x55, 0xAA)
    struct.pack_into("<H", catalogue, 28, -sum(struct.unpack("<16H", catalogue[:32])) & 0xFFFF)
    struct.pack_into("<BBHBBHI", catalogue, 32, 0x88, media, 0, 0, 0, 4, 20)
    blocks[19 * BLOCK:19 * BLOCK + 64] = catalogue
    program = Path(PROGRAM).read_bytes()[:BLOCK]
    blocks[20 * BLOCK:20 * BLOCK + len(program)] = program
    blocks[30 * BLOCK:30 * BLOCK + len(text) + 1] = text.encode() + b"\n"
    path = FOLDER / name
    path.write_bytes(blocks)
    return path


def run(*arguments, status=0):
    done = subprocess.run([VITRINE, "--headless", *map(str, arguments)], capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL)
    if done.returncode != status:
        sys.exit(f"{' '.join(map(str, arguments))}: status {done.returncode}, not {status}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


def check(holds, what):
    if not holds:
        sys.exit(f"media.py: {what}")


def lines(text):
    return [line for line in text.replace("\r", "").split("\n") if line.startswith(("disc ", "error "))]


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    first, second, other = disc("first.iso", "disc one"), disc("second.iso", "disc two"), disc("other.iso", "disc two, another")
    machine = ["--cdrom", first, "-m", "32M", "--bios", BIOS, "--no-reboot", "--limit-steps", "400000000"]
    script = ["--change-cdrom", r"none@serial:disc one\x0a", "--change-cdrom", rf"{second}@serial:error AA\x0a",
              "--type", r"a@serial:disc one\x0a", "--type", r"b@serial:error AA\x0a", "--type", r"q@serial:disc two\x0a"]
    for storage in ("ahci", "ide"):
        recording = FOLDER / f"{storage}.vrec"
        done = run(*machine, "--storage", storage, *script, "--record", recording, "--state-hash", status=33)
        check(lines(done.stdout) == ["disc one", "error AA", "disc two"], f"{storage}: the guest saw {lines(done.stdout)}")
        again = run("--replay", recording, "--state-hash")
        wanted = [line for line in (done.stdout + done.stderr).split("\n") if "hash" in line]
        got = [line for line in (again.stdout + again.stderr).split("\n") if "hash" in line]
        check(wanted and wanted == got, f"{storage}: the replay ends with {got}, not {wanted}")
        # The same run, saved afterwards from what history holds: checkpoints and hashes are those of a replay.
        saved = FOLDER / f"{storage}-saved.vrec"
        run(*machine, "--storage", storage, *script, "--save-recording", saved, status=33)
        again = run("--replay", saved, "--state-hash")
        check(wanted == [line for line in again.stdout.split("\n") if "hash" in line], f"{storage}: what was saved replays as {again.stdout}")
        done = subprocess.run([VITRINE, "recording", str(saved), "verify"], capture_output=True, text=True)
        check(done.returncode == 0, f"{storage}: what was saved does not hold: {done.stderr}")
        run("--replay", saved, "--until", r"serial:disc two\x0a", "--state-hash")
        said = subprocess.run([VITRINE, "recording", str(recording), "export"], capture_output=True, text=True).stdout
        check("the disc was taken out" in said and "second.iso" in said, f"{storage}: the recording tells nothing of discs:\n{said[:2000]}")
    # A state that was saved with the second disc in the drive, in a process that has never seen it.
    state = FOLDER / "state"
    run(*machine, *script[:8], "--until", r"serial:disc two\x0a", "--save-state", state)
    done = run(*machine, "--load-state", state, "--type", r"c@step:0", "--type", r"q@serial:disc two\x0a", status=33)
    check(lines(done.stdout) == ["disc two"], f"after the load the guest saw {lines(done.stdout)}")
    # And one that was saved while the drive was empty.
    run(*machine, *script[:2], *script[4:6], "--until", r"serial:error AA\x0a", "--save-state", state)
    done = run(*machine, "--load-state", state, "--type", r"c@step:0", "--type", r"q@serial:error AA\x0a", status=33)
    check(lines(done.stdout) == ["error AA"], f"after the load of an empty drive the guest saw {lines(done.stdout)}")
    run(*machine, *script[:8], "--until", r"serial:disc two\x0a", "--save-state", state)
    # The recorded disc is gone, or another one lies under its name.
    shutil.copy(other, second)
    done = run("--replay", FOLDER / "ahci.vrec", status=66)
    check(done.stderr.count("\n") == 1 and "second.iso" in done.stderr, f"another disc: {done.stderr}")
    second.unlink()
    done = run("--replay", FOLDER / "ahci.vrec", status=66)
    check(done.stderr.count("\n") == 1 and "second.iso" in done.stderr, f"no disc: {done.stderr}")
    run(*machine, "--load-state", state, status=66)
    # Bad input.
    for change, status in (("nothing", 64), ("@step:1", 64), ("x.iso@soon", 64), (f"{FOLDER}/missing.iso@step:1", 66),
                           (f"{FOLDER}@step:1", 66)):
        done = run(*machine, "--change-cdrom", change, status=status)
        check(done.stderr.count("\n") == 1 and done.stderr.startswith("vitrine: "), f"{change}: {done.stderr}")
    run("--disk", first, "--change-cdrom", f"{first}@step:1", status=64)


main()
