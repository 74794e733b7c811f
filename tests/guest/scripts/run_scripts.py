#!/usr/bin/env python3
"""Shell scripts on this machine's Linux and on the guest kernel, with the same static bash and busybox: what they print must be equal.

Usage: run_scripts.py --machine vitrine|qemu --binary VITRINE --bzimage FILE --disk FILE --busybox FILE --bash FILE [--cpus N] [--append TEXT]
       [--only NAME] [--limit-seconds S] CORPUS
The guest finds the corpus at /test/CORPUS and the driver at /test/driver.sh. Nothing here says what the right output is.
"""
import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "programs"))
import run_both  # noqa: E402

BEGIN = "-- begin --"


def on_linux(options):
    """In a folder with a PATH of its own: bash, busybox and busybox's applets."""
    with tempfile.TemporaryDirectory() as folder:
        tools = os.path.join(folder, "bin")
        os.mkdir(tools)
        os.symlink(options.bash, os.path.join(tools, "bash"))
        for applet in subprocess.run([options.busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet not in ("bash", "linuxrc"):
                os.symlink(options.busybox, os.path.join(tools, applet))
        for name in ("chrt", "nice"):  # of which the guest has its own; busybox may have none
            if not os.path.exists(os.path.join(tools, name)):
                os.symlink(shutil.which(name), os.path.join(tools, name))
        if not os.path.exists(os.path.join(tools, "busybox")):
            os.symlink(options.busybox, os.path.join(tools, "busybox"))
        driver = os.path.join(os.path.dirname(os.path.abspath(__file__)), "driver.sh")
        done = subprocess.run([os.path.join(tools, "sh"), driver, os.path.abspath(options.corpus), os.path.join(folder, "work"), options.only],
                              env={"PATH": tools}, capture_output=True, text=True, errors="replace", timeout=options.limit_seconds + 200,
                              stdin=subprocess.DEVNULL, cwd=folder, start_new_session=True, preexec_fn=run_both.plain_process)
        return done.stdout + done.stderr


def cases(text):
    """What each case printed, with its last line, by name."""
    found, lines = {}, []
    for line in text.splitlines():
        line = re.sub(r"(line \d+:) +\d+ |\(\d+\)", r"\1 PID ", line)  # bash tells of PIDs
        lines.append(line)
        if match := re.fullmatch(r".*=== (\S+ in \S+): status \d+", line):
            found[match.group(1)] = lines
            lines = []
    return found


def main():
    parser = argparse.ArgumentParser()
    for name in ("machine", "binary", "bzimage", "disk", "busybox", "bash"):
        parser.add_argument("--" + name, required=name != "binary")
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--append", default="lockdep")
    parser.add_argument("--only", default="")
    parser.add_argument("--limit-seconds", type=int, default=300)
    parser.add_argument("corpus")
    options = parser.parse_args()
    wanted = cases(on_linux(options))
    line = f"setsid sh /test/driver.sh /test/{os.path.basename(options.corpus)} /tmp/work {options.only} 2>&1 | cat >/tmp/o; echo {BEGIN}; cat /tmp/o"
    # No controlling terminal, as on the other side; into a file, so that the kernel's own lines on the console do not fall into it.
    text, status = (run_both.in_vitrine if options.machine == "vitrine" else run_both.on_qemu)(options, line)
    text = text.replace("\r", "")
    got = cases(text[text.rindex("\n" + BEGIN) + len(BEGIN) + 2:]) if "\n" + BEGIN in text else {}
    faults = []
    if status != 0 or run_both.TROUBLE.search(text):
        print(text[-5000:])
        faults.append(f"status {status}, {run_both.TROUBLE.search(text)}")
    for name, lines in wanted.items():
        theirs = got.get(name, ["(missing)"])
        if lines != theirs:
            sys.stdout.writelines(l.rstrip("\n") + "\n" for l in difflib.unified_diff(lines, theirs, f"Linux: {name}", f"guest: {name}", n=1))
            faults.append(f"{name} differs")
    if not wanted:
        faults.append("Linux ran no case")
    for fault in faults:
        print("FAILED:", fault)
    print(f"{len(wanted) - sum(' differs' in f for f in faults)} of {len(wanted)} cases as on Linux")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
