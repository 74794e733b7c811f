#!/usr/bin/env python3
"""A process of nine threads, eight of them busy: the host's views have exactly those that the guest's own /proc/PID/task has,
and the address space that a processor runs in is the busy process's.

Usage: thread_views.py --binary VITRINE --bzimage FILE --disk FILE [--cpus N]
"""
import argparse
import json
import re
import subprocess
import sys

VIEWS = ("tasks", "processes", "space", "locks")


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", default="1")
    options = parser.parse_args()
    command = [options.binary, "--headless", "--serial", "stdio", "--kernel", options.bzimage, "--disk", options.disk, "--append", "console=ttyS0 root=/dev/sda1", "--cpus",
               options.cpus, "--json", "--until", "serial:crowd: all are busy", "--limit-steps", "8000000000"]
    for view in VIEWS:
        command += ["--inspect", view]
    for line in ["/test/crowd 8 &", "sleep 1", "for t in /proc/$!/task/*; do echo $t `cat $t/stat`; done", "kill -USR1 $!"]:
        command += ["--type", line.replace("\\", "\\\\") + "\\n"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=280)
    text = done.stdout.decode("latin-1").replace("\r", "")
    decoder, found, at = json.JSONDecoder(), [], text.find("\n{")
    while at >= 0:
        view, length = decoder.raw_decode(text[at + 1:])
        found.append(view)
        at = text.find("\n{", at + 1 + length)
    if done.returncode or len(found) != len(VIEWS):
        sys.exit(f"status {done.returncode}, {len(found)} views\n{text[-3000:]}\n{done.stderr.decode('latin-1')}")
    views = dict(zip(VIEWS, found))
    faults = []
    told = {int(tid): (int(pid), comm) for pid, tid, again, comm in re.findall(r"^/proc/(\d+)/task/(\d+) (\d+) \((.*?)\) ", text, re.M) if again == tid}
    leader = next(iter(told.values()))[0] if told else 0
    seen = {task["pid"]: (task["tgid"], task["comm"]) for task in views["tasks"]["tasks"] if task["tgid"] == leader}
    if len(told) != 9 or told != seen:
        faults.append(f"/proc has the threads {told}, the tasks view {seen}")
    # In the tree a thread stands below its leader.
    rows = views["processes"]["processes"]["rows"]
    depth = lambda row: len(row["process"]) - len(row["process"].lstrip(" "))
    where = next((i for i, row in enumerate(rows) if row["pid"] == leader), None)
    below = [] if where is None else [row["pid"] for row in rows[where + 1:where + 9] if depth(row) == depth(rows[where]) + 2]
    if sorted([leader, *below]) != sorted(told):
        faults.append(f"below the leader {leader} stand {below}")
    # Who printed the last words is a thread of that process.
    if options.cpus == "1" and (views["space"]["comm"] != "busy8" or not views["space"]["areas"] or not views["space"]["loaded"]):
        faults.append(f"the processor runs in the address space of {views['space']['comm']}: {views['space']['why_empty']}")
    if views["space"]["why_empty"]:
        faults.append(f"no address space is shown: {views['space']['why_empty']}")
    if [row["pid"] for row in views["locks"]["mmap_locks"]["rows"]].count(leader) != 1:
        faults.append("the address space's lock is not shown once")
    for name, view in views.items():
        if view["notes"]:
            faults.append(f"{name}: {view['notes']}")
    if faults:
        print(text[-6000:], done.stderr.decode("latin-1"))
    for fault in faults:
        print("FAILED:", fault)
    print(f"{len(told)} threads; the processor runs {views['space']['comm']}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
