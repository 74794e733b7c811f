#!/usr/bin/env python3
"""A person at the guest's prompt, in Vitrine, by script on the serial line: bash's job control, vi, top, less.

Usage: terminal.py --binary VITRINE --bzimage FILE --disk FILE [--cpus N]
Each step: what is typed, when (what must have shown before; none: a prompt), and what must show behind it, in this order. All of it is
the machine's own time: a run is the same wherever it runs.
"""
import argparse
import re
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import run_both  # noqa: E402

# (typed, shown before or None, regular expressions that must follow one another from here)
STEPS = [
    ("cd /tmp; tty; stty -a | grep -c isig\\n", None, [r"/dev/\w+", r"\n1\n"]),
    # ^Z, jobs, fg, a second ^Z, bg, kill: the job is a group of its own
    ("sh -c 'n=0; while :; do n=$((n+1)); echo tick$n; sleep 0.1; done'\\n", None, [r"\ntick1\n"]),
    ("\\x1a", "tick3", [r"\[1\]\+  Stopped"]),
    ("jobs\\n", None, [r"\[1\]\+  Stopped +sh -c"]),
    ("fg\\n", None, [r"sh -c 'n=0"]),
    ("\\x1a", "tick6", [r"\[1\]\+  Stopped"]),
    ("bg >/dev/null\\n", None, [r"bg"]),
    ("jobs\\n", "tick9", [r"\[1\]\+  Running"]),
    ("kill %1\\n", "Running", []),
    ("wait; echo end$((1))x\\n", None, [r"end1x"]),
    # ^C, and ^\\
    ("sh -c 'echo c$((1))d; sleep 100'\\n", None, [r"c1d"]),
    ("\\x03", "c1d", []),
    ("echo status $?\\n", None, [r"\nstatus 130\n"]),
    ("sh -c 'echo r$((1))y; exec cat -n'\\n", None, [r"r1y"]), # (a shell ignores ^\\)
    ("foo\\n", "r1y", [r"1\tfoo"]),
    ("\\x1c", "1\\tfoo", [r"Quit"]),
    ("echo status $?\\n", None, [r"\nstatus 131\n"]),
    # a background reader stops, comes to the foreground and reads
    ("cat >got &\\n", None, [r"\[1\] \d+"]),
    ("sleep 1; jobs\\n", None, [r"Stopped +cat > got"]),
    ("fg\\n", None, [r"cat > got"]),
    ("typed in\\n\\x04", "cat > got", []),
    ("cat got\\n", None, [r"\ntyped in\n"]),
    # a pipeline is one job
    ("sleep 100 | cat | cat &\\n", None, [r"\[1\] \d+"]),
    ("kill %1; wait; jobs; echo none\\n", None, [r"\nnone\n"]),
    # line editing: erase, kill, end of line, history
    ("echo wrng\\x7f\\x7f\\x7frong\\x01X\\x05 end\\x15echo kept\\n", None, [r"\nkept\n"]),
    ("\\e[A\\n", None, [r"\nkept\n"]),
    # vi
    ("vi note\\n", None, [r"- note"]),
    ("ifirst line\\nsecond\\e", "- note", [r"- note \[Modified\]"]),
    ("0x:wq\\n", "- note [Modified]", []),
    ("cat note; wc -l <note\\n", "vitrine# ", [r"\nfirst line\necond\n2\n"]),
    # top
    ("top -b -n1 | head -4\\n", None, [r"Mem: \d+K used", r"CPU:", r"Load average:", r"PID  PPID"]),
    ("top\\n", None, [r"Load average:", r"COMMAND"]),
    ("q", "COMMAND", []),
    ("echo after $((6*7))\\n", "vitrine# ", [r"\nafter 42\n"]),
    # less
    ("seq 200 >numbers; less numbers\\n", None, [r"K5\n"]),
    ("G", "22", [r"\n?200"]),
    ("q", "200", []),
    ("echo less $?\\n", "vitrine# ", [r"less 0"]),
]


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--limit-steps", type=int, default=4_000_000_000)
    options = parser.parse_args()
    command = [options.binary, "--headless", "--kernel", options.bzimage, "--disk", options.disk, "--append",
               "console=ttyS0 root=/dev/sda1 lockdep", "--cpus", str(options.cpus), "--limit-steps", str(options.limit_steps)]
    for typed, before, _ in STEPS + [("poweroff -f\\n", None, [])]:
        command += ["--type", typed + (f"@serial:{before}" if before else "")]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=1500)
    text = done.stdout.decode("latin-1").replace("\r", "")
    faults, at = [], text.find(run_both.PROMPT)
    if done.returncode != 0:
        faults.append(f"status {done.returncode}: {done.stderr.decode('latin-1')[-500:]}")
    if trouble := run_both.TROUBLE.search(text):
        faults.append(f"the kernel said {trouble.group(0)!r}")
    for typed, _, wanted in STEPS:
        for expression in wanted:
            if not (found := re.compile(expression).search(text, at)):
                faults.append(f"behind {typed!r}: no {expression!r}; but {text[at:at + 300]!r}")
                break
            at = found.end()
        if faults:
            break
    if faults:
        print(text[-6000:])
    for fault in faults:
        print("FAILED:", fault)
    print(f"{len(STEPS)} steps")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
