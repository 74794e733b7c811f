#!/usr/bin/env python3
"""Recordings outlive their writer: killed at any moment, or with no room left, what was written replays; and the commands
over them: info, verify, trim, export, compare.

usage: recordings.py VITRINE FOLDER [KILLS]"""
import json
import os
import re
import random
import resource
import signal
import struct
import subprocess
import sys
import threading
import time

VITRINE, FOLDER = sys.argv[1:3]
KILLS = int(sys.argv[3]) if len(sys.argv) > 3 else 6
MACHINE = ["-m", "64M"]
TYPED = ["--type", "ls /\\n", "--type", "echo some text > /tmp/x\\n", "--type", "spin 2 2\\n"]


def vitrine(*arguments, status=0, **more):
    done = subprocess.run([VITRINE, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, **more)
    if done.returncode != status:
        sys.exit(f"{arguments}: status {done.returncode}, not {status}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


def record(path, *arguments, **more):
    return vitrine("--headless", "--serial", "null", *MACHINE, *TYPED, "--limit-steps", "20000000", "--record", path, "--checkpoints", "2000000",
                   *arguments,
                   status=more.pop("status", 75), **more)


def known(path):
    return json.loads(vitrine("recording", path, "export").stdout)


def killed(generator):
    """A log point tells where the run is: what it had reached a second before the kill is in the file. Also where an idle guest
    goes at the pace of the clock on the wall (its terminal is a socket), which takes ten seconds for the steps to the next hash."""
    idle_ones = max(1, KILLS // 10)
    for i in range(KILLS + idle_ones):
        idle = i >= KILLS
        path = os.path.join(FOLDER, f"killed{i}.vrec")
        line = ["--serial", f"unix:{FOLDER}/idle", "--cpus", "1"] if idle else ["--serial", "null", *TYPED]
        run = subprocess.Popen([VITRINE, "--headless", *MACHINE, *line, "--record", path, "--checkpoints", "3000000", "--break",
                                "write:jiffies log at {step:d}"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
        reached = []

        def listen():
            for text in run.stderr:
                found = re.search(r" at (\d+)$", text)
                if found:
                    reached.append((time.monotonic(), int(found[1])))
        listener = threading.Thread(target=listen)
        listener.start()
        time.sleep(generator.uniform(4, 7) if idle else generator.uniform(0.3, 2.0 if KILLS <= 6 else 8.0))
        killed_at = time.monotonic()
        run.send_signal(signal.SIGKILL)
        run.wait()
        listener.join()
        if not os.path.exists(path) or os.path.getsize(path) < 100:
            continue  # it had not begun
        vitrine("recording", path, "verify")
        end = known(path)["last_step"]
        before = max((step for when, step in reached if when <= killed_at - 1), default=0)
        assert end >= before, f"{path} ends at step {end}, and a second before the kill the run was at {before}"
        if KILLS > 6:
            print(f"killed at step {reached[-1][1] if reached else 0}{', idle' if idle else ''}: the file ends at {end}, a second before it was "
                  f"at {before}", flush=True)
        if end > 1:
            vitrine("--headless", "--serial", "null", "--replay", path, "--until", f"step:{end - 1}")


def no_room(generator, whole):
    size = os.path.getsize(whole)
    for i in range(KILLS):
        path = os.path.join(FOLDER, f"full{i}.vrec")
        room = generator.randrange(400, size)

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        # The run itself goes on to its end; the recording's is told, and is the status.
        done = record(path, status=66, preexec_fn=limit)
        assert "the run goes on" in done.stderr, done.stderr
        assert os.path.getsize(path) <= room
        vitrine("recording", path, "verify")
        before, after = known(whole), known(path)
        assert after["inputs"] == before["inputs"][:len(after["inputs"])]
        hashes = after.get("hashes", [])
        if hashes and hashes[-1]["step"] % 1000000:
            hashes.pop()  # how far the run was, beside the hash points
        assert hashes == before["hashes"][:len(hashes)]


def overlays():
    """A run writes its overlay when it ends. What it was when the recording began is what the replay begins with."""
    image = os.path.join(os.path.dirname(VITRINE), "guest/vitrine-disk.img")
    overlay, first, second = (os.path.join(FOLDER, name) for name in ("new.overlay", "first.vrec", "second.vrec"))
    for old in (overlay, first, second):
        if os.path.exists(old):
            os.unlink(old)
    run = ["--headless", "--serial", "null", *MACHINE, "--disk", f"{image},overlay={overlay}", "--type", "echo more >> /root/notes\\n",
           "--type", "sync\\n", "--type", "poweroff\\n"]
    vitrine(*run, "--record", first)
    written = open(overlay, "rb").read()
    for _ in range(2):  # a replay writes none
        done = vitrine("--headless", "--serial", "null", "--replay", first)
        assert done.stderr == "", done.stderr
    assert "are as they were recorded" in vitrine("recording", first, "verify").stdout
    assert open(overlay, "rb").read() == written
    # One that was not new: the recording replays beside what it began with, and beside nothing else, which is told.
    vitrine(*run, "--record", second)
    assert open(overlay, "rb").read() != written
    done = vitrine("--headless", "--serial", "null", "--replay", second, status=76)
    assert f"with its overlay {overlay} is not what it was when the recording began" in done.stderr.split("\n")[0], done.stderr
    assert vitrine("--headless", "--serial", "null", "--replay", first).stderr == ""
    open(overlay, "wb").write(written)
    assert vitrine("--headless", "--serial", "null", "--replay", second).stderr == ""


def main():
    os.makedirs(FOLDER, exist_ok=True)
    generator = random.Random(5)
    whole = os.path.join(FOLDER, "whole.vrec")
    record(whole)
    assert "end         step 20000000" in vitrine("recording", whole, "info").stdout
    vitrine("recording", whole, "verify")

    assert len(known(whole)["checkpoints"]) >= 8, known(whole)
    # An opened recording seeks by its checkpoints: the same place as by running to it, and the same console text.
    plain = vitrine("--headless", *MACHINE, *TYPED, "--until", "step:17500000", "--state-hash").stdout
    leapt = vitrine("--headless", "--replay", whole, "--until", "step:17500000", "--state-hash").stdout
    assert plain == leapt, (plain[-300:], leapt[-300:])
    plain = vitrine("--headless", "--serial", "null", *MACHINE, *TYPED, "--until", "phase:init", "--state-hash").stdout
    assert plain == vitrine("--headless", "--serial", "null", "--replay", whole, "--until", "phase:init", "--state-hash").stdout
    asked = ["--until", "step:19000000", "--who-wrote", "jiffies", "--last", "write:jiffies"]
    plain, leapt = (vitrine("--headless", "--serial", "null", *start, *asked) for start in ([*MACHINE, *TYPED], ["--replay", whole]))
    assert plain.stdout == leapt.stdout and plain.stderr == leapt.stderr, (plain, leapt)
    # A damaged checkpoint is told, and the one before it serves.
    step = known(whole)["checkpoints"][5]["step"]
    bytes_ = bytearray(open(whole, "rb").read())
    heads = [i for i in range(len(bytes_) - 28) if bytes_[i:i + 8] == b"VTRC" + struct.pack("<H", 0x2A9) + bytes_[6:8]
             and struct.unpack_from("<Q", bytes_, i + 16)[0] == step]
    assert len(heads) == 1
    bytes_[heads[0] + 60] ^= 1
    hurt = os.path.join(FOLDER, "hurt.vrec")
    open(hurt, "wb").write(bytes_)
    done = vitrine("--headless", "--serial", "null", "--replay", hurt, "--until", "step:17500000", "--state-hash")
    assert f"the first at step {step}: the one before it serves" in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert done.stdout == vitrine("--headless", "--serial", "null", "--replay", whole, "--until", "step:17500000", "--state-hash").stdout
    good = {i["step"] for i in known(hurt)["checkpoints"]}
    lost = sum(i["step"] not in good for i in known(whole)["checkpoints"]) - 1
    assert lost > 0 and f"1 of its {len(known(whole)['checkpoints'])} checkpoints is damaged, {lost} build on it" in done.stderr, (lost, done.stderr)
    vitrine("recording", hurt, "verify", status=66)
    info = vitrine("recording", hurt, "info").stdout
    assert f"damaged     the checkpoint at step {step}\n" in info and f"unusable    {lost} checkpoints that build on a damaged one" in info, info
    # Many checkpoints: how many one flipped bit costs is bounded.
    many = os.path.join(FOLDER, "many.vrec")
    vitrine("--headless", "--serial", "null", *MACHINE, *TYPED, "--limit-steps", "60000000", "--record", many, "--checkpoints", "1000000", status=75)
    steps = [(i["step"], i["whole"]) for i in known(many)["checkpoints"]]
    chain = longest = 0
    for _, is_whole in steps:
        chain = 1 if is_whole else chain + 1
        longest = max(longest, chain)
    assert len(steps) >= 55 and longest <= 32, (len(steps), longest)
    # The last chunk alone is damaged: as if the file had been cut there.
    spoilt = bytearray(open(whole, "rb").read())
    spoilt[-1] ^= 1
    open(hurt, "wb").write(spoilt)
    done = vitrine("--headless", "--serial", "null", "--replay", hurt)
    assert "is damaged at its end, at offset" in done.stderr and "replayed up to step 20000000" in done.stderr, done.stderr
    vitrine("recording", hurt, "verify", status=66)
    # Another disk than the recorded one is told before anything runs.
    disk = os.path.join(FOLDER, "disk.img")
    open(disk, "wb").write(b"\xeb\xfe" + bytes(508) + b"\x55\xaa" + bytes(1 << 20))
    changed = os.path.join(FOLDER, "changed.vrec")
    vitrine("--headless", "--serial", "null", "-m", "32M", "--disk", disk, "--limit-steps", "3000000", "--record", changed, status=75)
    with open(disk, "r+b") as image:
        image.seek(1 << 19)
        image.write(b"x")
    done = vitrine("--headless", "--serial", "null", "--replay", changed, "--until", "step:10")
    assert f"disk image {disk} has changed since" in done.stderr, done.stderr

    overlays()
    # A run that nobody recorded, saved when it is over: the same inputs, the same end.
    saved = os.path.join(FOLDER, "saved.vrec")
    run = ["--headless", "--serial", "null", *MACHINE, *TYPED, "--limit-steps", "20000000"]
    vitrine(*run, "--save-recording", saved, status=75)
    assert known(saved)["inputs"] == known(whole)["inputs"]
    ends = [re.search(r"end .*", vitrine("recording", each, "info").stdout)[0] for each in (saved, whole)]
    assert ends[0].split(":")[0] == ends[1].split(":")[0] and ends[0].split()[-1] == ends[1].split()[-1], ends
    assert vitrine("--headless", "--serial", "null", "--replay", saved).stderr == ""
    vitrine("recording", saved, "verify")
    assert "the runs are equal up to step" in vitrine("compare", saved, whole).stdout
    for bad, status in ((["--replay", whole], 64), (["--history", "off"], 64), (["--load-state", "x"], 64)):
        done = vitrine("--headless", *bad, "--save-recording", saved, status=status)
        assert done.stderr.startswith("vitrine: ") and done.stderr.count("\n") == 1 and "--save-recording" in done.stderr, done.stderr
    done = vitrine(*run, "--save-recording", FOLDER + "/none/x", status=66)
    assert "No such file" in done.stderr and done.stderr.count("\n") == 1, done.stderr

    # A replay that was cut short has verified nothing behind the cut, and says so.
    done = vitrine("--headless", "--serial", "null", "--replay", whole, "--limit-steps", "5000", status=75)
    assert "--limit-steps 5000 is reached at step 5000" in done.stderr, done.stderr

    last = known(whole)["last_step"]
    done = vitrine("--headless", "--serial", "null", "--replay", whole, "--until", f"step:{last}")
    assert "before --until" not in done.stderr, done.stderr

    cut = os.path.join(FOLDER, "cut.vrec")
    vitrine("recording", whole, "trim", cut, "15000000")
    assert known(cut)["last_step"] <= 15_000_000
    vitrine("recording", cut, "verify")
    copy = os.path.join(FOLDER, "copy.vrec")
    vitrine("recording", whole, "trim", copy)
    assert known(copy) == known(whole)
    assert open(copy, "rb").read() == open(whole, "rb").read()

    # Another text typed: the runs part where it was.
    other = os.path.join(FOLDER, "other.vrec")
    TYPED[3] = "echo some TEXT > /tmp/x\\n"
    record(other)
    TYPED[3] = "echo some text > /tmp/x\\n"
    typed = [i["step"] for i in known(whole)["inputs"]][1]
    parted = vitrine("compare", whole, other, status=1).stdout
    assert f"the runs part at step {typed - 1}:" in parted and "some TEXT" in parted, (typed, parted)
    assert "the runs are equal up to step" in vitrine("compare", whole, copy).stdout
    # The same place without checkpoints, where most of both runs has to be run; with them, little is.
    def ran(text):
        return int(text.rstrip().splitlines()[-1].split()[3])
    bare = []
    for source, text in ((whole, "text"), (other, "TEXT")):
        TYPED[3] = f"echo some {text} > /tmp/x\\n"
        bare.append(source + ".bare")
        record(bare[-1], "--checkpoints", "off")
    TYPED[3] = "echo some text > /tmp/x\\n"
    slow = vitrine("compare", *bare, status=1).stdout
    assert slow.split("\n")[0] == parted.split("\n")[0], (slow, parted)
    assert ran(parted) * 3 < ran(slow), (ran(parted), ran(slow))
    small = os.path.join(FOLDER, "small.vrec")
    vitrine("--headless", "--serial", "null", "-m", "80M", "--entropy", "5", "--limit-steps", "3000000", "--record", small, status=75)
    differ = vitrine("compare", whole, small, status=1).stdout
    assert differ.startswith("the machines differ: --memory (64M and 80M); --entropy (0 and 5)\n"), differ
    for bad, status in ((("recording", whole, "eat"), 64), (("recording", FOLDER + "/none", "info"), 66), (("compare", whole), 64), (("compare",), 64), (("recording",), 64), (("recording", whole), 64),
                        (("recording", whole, "trim", cut, "x"), 64), (("recording", whole, "trim", cut, "20000001"), 64), (("recording", VITRINE, "info"), 66)):
        done = vitrine(*bad, status=status)
        assert done.stderr.startswith("vitrine: ") and done.stderr.count("\n") == 1, done.stderr
    no_room(generator, whole)
    killed(generator)
    print("recordings: whole, cut, killed and full ones replay")


main()
