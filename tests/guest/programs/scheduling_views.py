#!/usr/bin/env python3
"""Tasks of every scheduling class: the host's views (--inspect tasks, runqueues) say of each what the guest's own /proc/PID/sched says.

Usage: scheduling_views.py --binary VITRINE --bzimage FILE --disk FILE [--cpus N]
"""
import argparse
import json
import re
import subprocess
import sys

# chrt's letter and priority: the policy's number, its name, its class.
KINDS = {"f 42": (1, "fifo", "rt"), "r 7": (2, "rr", "rt"), "o 0": (0, "normal", "fair"), "b 0": (3, "batch", "fair"), "i 0": (5, "idle", "fair")}
DONE = "all are shown"


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", default="1")
    options = parser.parse_args()
    # The first three sleep; the two realtime ones run for ever on the last processor, throttled to 95 %.
    last = int(options.cpus) - 1
    starts = [f"chrt -{kind} sleep 1000 &" for kind in KINDS]
    starts += [f"taskset {1 << last:x} chrt -{kind} sh -c 'while :; do :; done' &" for kind in ("f 42", "r 7")]
    show = "for p in /proc/[0-9]*; do echo $p `grep -E '^policy|^prio' $p/sched | tr -d ' \\n'`; done 2>/dev/null; echo all are shown | tr a-z A-Z"
    command = [options.binary, "--headless", "--serial", "stdio", "--kernel", options.bzimage, "--disk", options.disk, "--append", "console=ttyS0 root=/dev/sda1", "--cpus",
               options.cpus, "--json", "--until", "serial:" + DONE.upper(), "--limit-seconds", "200", "--inspect", "tasks", "--inspect", "runqueues"]
    for line in [*starts, "sleep 1", show]:
        command += ["--type", line.replace("\\", "\\\\") + "\\n"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    text = done.stdout.decode("latin-1").replace("\r", "")
    decoder, views, at = json.JSONDecoder(), {}, text.find("\n{")
    while at >= 0:
        view, length = decoder.raw_decode(text[at + 1:])
        views.update(view)
        at = text.find("\n{", at + 1 + length)
    faults = []
    tasks = {task["pid"]: task for task in views.get("tasks", [])}
    told = {int(pid): (int(policy), int(prio)) for pid, policy, prio in re.findall(r"^/proc/(\d+) policy:(\d+)prio:(\d+)$", text, re.M)}
    seen = {}
    for pid, (policy, prio) in told.items():
        if pid not in tasks:
            continue  # one of the line's own processes
        task = tasks[pid]
        number, name, which = next(kind for kind in KINDS.values() if kind[0] == policy)
        seen[name] = seen.get(name, 0) + 1
        if task["comm"].startswith("migration/"):  # the stoppers' class has no policy of its own
            which = "stop"
        if (task["policy"], task["class"]) != (name, which):
            faults.append(f"PID {pid} has policy {number}, and is shown as {task['policy']}, class {task['class']}")
        shown = 99 - task["rt_priority"] if which == "rt" else 120 + task["nice"]
        if shown != prio:
            faults.append(f"PID {pid} has priority {prio}, and is shown with {shown}")
    for name, least in {"fifo": 2, "rr": 2, "batch": 1, "idle": 1, "normal": 5}.items():
        if seen.get(name, 0) < least:
            faults.append(f"{seen.get(name, 0)} tasks with policy {name}, not {least}")
    queues = views.get("run_queues", [])
    waiting = [[task["rt_priority"] for task in queue["realtime"]] for queue in queues]
    if not waiting or waiting[last] != [42, 7]:
        faults.append(f"the realtime lists are {waiting}")
    if faults:
        print(text[-6000:], done.stderr.decode("latin-1"))
    for fault in faults:
        print("FAILED:", fault)
    print(f"{len(told)} tasks, {seen}, realtime {waiting}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
