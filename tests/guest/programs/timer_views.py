#!/usr/bin/env python3
"""Timers: the host's view (--inspect timers, text and JSON) says what the guest's own /proc/timer_list says, /proc/timer_list has
the lines of Debian's Linux, and an idle machine has stopped its ticks.

Usage: timer_views.py --binary VITRINE --bzimage FILE --disk FILE --linux VMLINUZ [--cpus N]
"""
import argparse
import json
import re
import subprocess
import sys

from on_debian import on_debian

# What Linux prints only in its configuration: tick broadcasting, soft clock bases, a periodic mode of the device.
BROADCAST = re.compile(r"Broadcast device|tick_broadcast|^ periodic:|^ resume:|^ oneshot:|Wakeup Device")


def shape(text):
    """The distinct lines with every number, address and name out, in the order in which each first comes."""
    seen = []
    text = re.sub(r"Tick Device: mode: +\d+\nBroadcast device\n.*?(?=Tick Device)", "", text, flags=re.S)
    for line in text.splitlines():
        if BROADCAST.search(line):
            continue
        line = re.sub(r"<[^>]*>, \S+, S:\d\d", "<ADDRESS>, FUNCTION, S:N", line)
        line = re.sub(r"(get_time|set_next_event|shutdown|oneshot stopped|event_handler|Clock Event Device|base)( *): *\S+", r"\1\2: NAME", line)
        line = re.sub(r"-?\b\d+\b", "N", line.replace("v0.9", "VERSION").rstrip())
        line = re.sub(r" +", " ", line)
        if line not in seen:
            seen.append(line)
    return seen


def run(options, command, lines, marker):
    for line in lines:
        command += ["--type", line.replace("\\", "\\\\") + "\\n"]
    done = subprocess.run([options.binary, "--headless", "--cpus", options.cpus, "--until", "serial:" + marker, "--limit-seconds", "250", *command],
                          capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    return done.stdout.decode("latin-1").replace("\r", ""), done.stderr.decode("latin-1")


def between(text, begin, end):
    at = text.rindex("\n" + begin + "\n") + len(begin) + 2
    return text[at:text.index("\n" + end, at)]


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk", "linux"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", default="1")
    options = parser.parse_args()
    faults = []
    guest = ["--kernel", options.bzimage, "--disk", options.disk, "--append", "console=ttyS0 root=/dev/sda1"]
    lines = ["sleep 1000 & sleep 2000 & sleep 3000 &", "sleep 5", "echo begin | tr a-z A-Z; cat /proc/timer_list; echo done here | tr a-z A-Z"]
    views = ["--inspect", "timers"]
    text, errors = run(options, ["--serial", "stdio", *guest, "--json", *views], lines, "DONE HERE")
    plain, _ = run(options, ["--serial", "stdio", *guest, *views], lines, "DONE HERE")
    printed = between(text, "BEGIN", "DONE HERE")
    decoder, sheets, at = json.JSONDecoder(), {}, text.find("\n{")
    while at >= 0:
        view, length = decoder.raw_decode(text[at + 1:])
        sheets.update(view)
        at = text.find("\n{", at + 1 + length)
    rows = {name: sheet["rows"] for name, sheet in sheets.items() if isinstance(sheet, dict) and "rows" in sheet}
    # Sleepers: their times do not change any more.
    sleepers = {(int(a), int(b)) for a, b in re.findall(r"hrtimer_wakeup, S:01\n # expires at (\d+)-(\d+) nsecs", printed)}
    shown = {(row["expires"], row["expires_at_the_latest"]) for row in rows["hrtimers"] if "hrtimer_wakeup" in str(row["function"])}
    if len(sleepers) < 3 or not sleepers <= shown:
        faults.append(f"sleepers {sleepers}, the view has {shown}")
    for name in ("hrtimer_wakeup", "tick_sched_timer"):
        if name not in plain or name not in printed:
            faults.append(f"{name} is in no text")
    devices = [row["device"] for row in rows["clock_events"]]
    if devices != re.findall(r"Clock Event Device: (\S+)", printed) or len(devices) != int(options.cpus):
        faults.append(f"devices {devices}")
    if len(rows["ticks"]) != int(options.cpus) or any(row["idle_sleeps"] == 0 for row in rows["ticks"]):
        faults.append(f"a CPU has never slept without a tick: {rows['ticks']}")
    told = [int(n) for n in re.findall(r"\.idle_sleeptime : (\d+)", printed)]
    if not all(0 <= row["idle_time"] - ns < 1_000_000_000 for ns, row in zip(told, rows["ticks"])) or min(told) < 4_000_000_000:
        faults.append(f"idle times {told}, {[row['idle_time'] for row in rows['ticks']]}")
    # The judge of the format: the same file of Debian's kernel.
    theirs = shape(on_debian(options.binary, options.linux, "cat /proc/timer_list", options.cpus))
    ours = shape(printed)
    if missing := [line for line in theirs if line not in ours]:
        faults.append(f"Linux has the lines {missing}")
    if foreign := [line for line in ours if line not in theirs]:
        faults.append(f"Linux does not have the lines {foreign}")
    if not faults and theirs != ours:
        faults.append(f"another order: {ours} {theirs}")
    if faults:
        print(text[-5000:], errors)
    for fault in faults:
        print("FAILED:", fault)
    print(f"{len(sleepers)} sleepers, {len(ours)} kinds of lines, {len(rows['hrtimers'])} timers shown")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
