#!/usr/bin/env python3
"""--break, --until, --last, --who-wrote, --events on the command line: what they print, their status, and that the guest is
not told (equal state hashes).

usage: debugging_cli.py VITRINE FOLDER"""
import json
import os
import re
import subprocess
import sys

VITRINE, FOLDER = sys.argv[1:3]


def run(*arguments, status=0):
    done = subprocess.run([VITRINE, "--headless", "--serial", "null", "-m", "64M", "--limit-seconds", "200", *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=250)
    if done.returncode != status:
        sys.exit(f"{arguments}: status {done.returncode}, not {status}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout, done.stderr


def expect(pattern, text):
    found = re.search(pattern, text)
    if not found:
        sys.exit(f"no {pattern!r} in\n{text[-3000:]}")
    return found


def main():
    os.makedirs(FOLDER, exist_ok=True)
    expect(r"breakpoint 1 \(rip:schedule\) at step \d+, processor 0: schedule", run("--break", "schedule")[1])
    expect(r"write of 8 bytes at jiffies: 0x4 -> 0x5 by tick_do_update_jiffies64", run("--break", "write:jiffies if value == 5")[1])
    expect(r"exception 14 error 0x14", run("--break", "page-fault if error & 4")[1])
    expect(r"system call write", run("--break", "syscall:write")[1])
    expect(r"switch to init \(pid 1\)", run("--break", "switch:init")[1])
    out, err = run("--until", "wrmsr:0xc0000080", "--inspect", "registers")
    assert err == "", err
    # A line of the kernel's sources: the breakpoint stands where the line's code is.
    expect(r"\(core.cpp:154\)", run("--break", "sched/core.cpp:154")[1])
    expect(r"tick 3 by tick_do_update_jiffies64\+0x\w+ in \S+", run("--until", "phase:init", "--break",
                                                                "write:jiffies log tick {value} by {rip:s} in {task.comm}")[1])
    # A stop and typing may wait for the same place: it stops, and the text has been typed.
    out = run("--until", "phase:init", "--type", "x@phase:init", "--inspect", "phases")[0]
    plain = run("--until", "phase:init", "--state-hash")[0]
    trace = os.path.join(FOLDER, "trace.json")
    watched, counts = run("--until", "phase:init", "--state-hash", "--events", "all", "--trace", trace, "--break", "interrupt count",
                          "--break", "access:jiffies count", "--break", "access:phys:0x1000000:65536 count")
    assert plain == watched, (plain, watched)
    interrupts = int(expect(r"interrupt count\): (\d+) hits", counts).group(1))
    rows = json.load(open(trace))["traceEvents"]
    assert sum(row.get("cat") == "interrupt" for row in rows) == interrupts
    events = [json.loads(line) for line in run("--until", "phase:init", "--events", "phase,disk", "--json")[0].splitlines()]
    assert events == sorted(events, key=lambda e: (e["step"], e["time_ns"])) and {e["kind"] for e in events} == {"phase", "disk"}
    out, err = run("--until", "phase:init", "--last", "write:jiffies", "--who-wrote", "jiffies", "--who-changed", "rip", "--state-hash")
    step = int(expect(r"--last write:jiffies: step (\d+), \d+ steps before the end", err).group(1))
    assert f"at step {step}," in out
    assert int(expect(r"jiffies: step (\d+) .*tick_do_update_jiffies64", out).group(1)) == step - 1
    for spec, status, words in (("schedul", 64, "did you mean schedule"), ("schedule if rxa", 64, "column 13: 'rxa' is neither a register nor a symbol; did you mean"), ("write:phys:0xfee00020", 64, "no memory"),
                                ("syscall:opennat", 64, "openat"), ("syscall:9999", 64, "column 9: system calls are 0 to 1023"),
                                ("schedule cpu 9", 64, "column 10: there is no processor 9: this machine has 0 to 3"),
                                ("schedule cpu 4", 64, "there is no processor 4"), ("schedule if al == 300", 64, "column 13: it can never hold"),
                                ("schedule if cpu == 4", 64, "column 13: it can never hold"), ("mode:lonk", 64, "long64"), ("nowhere.cpp:1", 64, "has no code"),
                                ("sched/core.cpp:99999", 64, "sched/core.cpp:99999 has no code; the nearest line that has is sched/core.cpp:")):
        err = run("--break", spec, status=status)[1]
        assert words in err and err.count("\n") == 1, err
    err = run("--until", "phase:imit", status=64)[1]
    assert "did you mean init" in err and err.count("\n") == 1, err
    for option, text, status in (("--who-wrote", "phys:0x100000", 75), ("--who-read", "phys:0x100000", 75), ("--who-wrote", "no_such", 64),
                                 ("--all-writes", "no_such", 64), ("--who-changed", "rxa", 75), ("--last", "rxa", 64)):
        err = run("--until", "step:5", option, text, status=status)[1]
        assert f"vitrine: {option} " in err and err.count("\n") == 1, err
    out, err = run("--until", "phase:init", "--all-writes", "jiffies", "--all-writes", "jiffies@1-2")
    writes = re.findall(r"jiffies: step (\d+) .*0x(\w+) -> 0x(\w+)$", out, re.M)
    assert len(writes) > 3 and [int(new, 16) for _, _, new in writes] == list(range(len(writes))), out  # the first is the loader's
    assert "jiffies@1-2: nobody has written there in the steps 1 to 2" in err and err.count("\n") == 1, err
    # Power-on is a place, too: before the first instruction.
    out, err = run("--break", "step:0", "--inspect", "registers")
    assert "at step 0, processor 0: step 0" in err and re.search(r"rip +(0x)?0*fff0", out), (out, err)
    err = run("--until", "step:200000", "--last", "step:0")[1]
    assert "--last step:0: step 0, 200000 steps before the end" in err, err
    err = run("--until", "step:1000", "--last", "switch:nobody", status=75)[1]
    assert "did not happen" in err, err
    print("breakpoints, authors and events on the command line are as documented")


main()
