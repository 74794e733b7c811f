#!/usr/bin/env python3
"""Runs a static program on this machine's Linux and on the guest kernel, in Vitrine or on QEMU: the outputs must be equal.

Usage: run_both.py --machine vitrine|qemu --binary FILE --bzimage FILE --disk FILE --program PATH [--cpus N] [--append TEXT]
       [--processor MODEL] [--expect REGEX] [--limit-seconds S] ARGUMENT…
Linux is the judge: nothing here says what the right output is. A guest that hangs, oopses or reports a lock problem fails.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile

PROMPT = "vitrine# "
TROUBLE = re.compile(r"BUG:|Oops|Kernel panic|possible circular|inconsistent lock|possible recursive|double fault|WARNING:|hung")


def plain_process():
    """What a program inherits from whoever runs the tests is what the guest's first shell has: signals that are not ignored (a
    background job of a shell without job control starts with these two ignored), nice value 0, umask 022."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    os.umask(0o022)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    except PermissionError:
        pass  # only root may raise it again


def on_linux(program, arguments):
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120, cwd=folder, preexec_fn=plain_process).stdout


def in_vitrine(options, line):
    command = [options.binary, "--headless", "--kernel", options.bzimage, "--disk", options.disk, "--append",
               f"console=ttyS0 root=/dev/sda1 {options.append}".strip(), "--type", line + "\\n", "--type", "poweroff -f\\n",
               "--limit-seconds", str(options.limit_seconds)]
    if options.cpus > 1:
        command += ["--cpus", str(options.cpus)]
    if getattr(options, "processor", None):
        command += ["--cpu", options.processor]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=900)
    return done.stdout.decode("latin-1"), done.returncode


def on_qemu(options, line):
    command = ["qemu-system-x86_64", "-machine", "q35", "-m", "512", "-nodefaults", "-display", "none", "-serial", "stdio", "-monitor",
               "none", "-no-reboot", "-smp", str(options.cpus), "-kernel", options.bzimage, "-append",
               f"console=ttyS0 root=/dev/sda1 {options.append}".strip(), "-drive",
               f"if=none,id=d,file={options.disk},format=raw,snapshot=on", "-device", "ide-hd,drive=d,bus=ide.0"]
    if getattr(options, "processor", None):
        command += ["-cpu", options.processor]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    import select
    import time
    text, sent, deadline = "", 0, time.time() + options.limit_seconds
    lines = [line, "poweroff -f"]
    while time.time() < deadline:
        ready, _, _ = select.select([process.stdout], [], [], 0.5)
        if ready:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            text += data.decode("latin-1")
        if sent < len(lines) and text.count(PROMPT) > sent:
            process.stdin.write(lines[sent].encode() + b"\r")
            process.stdin.flush()
            sent += 1
    else:
        process.kill()
        process.wait()
        return text, 75
    return text, process.wait()


FINE, DIFFERENT, TROUBLED = range(3)


def attempt(options, arguments):
    line = " ".join(["/test/" + os.path.basename(options.program), *arguments])
    wanted = on_linux(options.program, arguments)
    text, status = (in_vitrine if options.machine == "vitrine" else on_qemu)(options, line)
    text = text.replace("\r", "")
    if options.expect and not re.search(options.expect, text):
        print(text[-3000:])
        print(f"FAILED: {options.expect!r} was not printed")
        return DIFFERENT
    if status != 0 or TROUBLE.search(text):
        print(text[max(0, text.find(PROMPT)):][-6000:])
        print(f"FAILED: status {status}, {TROUBLE.search(text)}")
        return TROUBLED if TROUBLE.search(text) else DIFFERENT
    begin = text.index(line + "\n", text.index(PROMPT)) + len(line) + 1
    got = text[begin:text.index(PROMPT, begin)]
    got = "".join(part + "\n" for part in got.splitlines() if not re.match(r"\[ *\d+\.\d{6}\]", part))
    if got != wanted:
        import difflib
        sys.stdout.writelines(difflib.unified_diff(wanted.splitlines(True), got.splitlines(True), "Linux", "guest"))
        print("FAILED: the outputs differ")
        return DIFFERENT
    print(f"{line}: {len(wanted.splitlines())} lines as on Linux")
    return FINE



def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", choices=["vitrine", "qemu"], default="vitrine")
    parser.add_argument("--binary")
    parser.add_argument("--bzimage", required=True)
    parser.add_argument("--disk", required=True)
    parser.add_argument("--program", required=True)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--append", default="lockdep")
    parser.add_argument("--processor", help="the machine's processor model")
    parser.add_argument("--expect", help="what the guest must print besides, the kernel's own lines included")
    parser.add_argument("--limit-seconds", type=int, default=300)
    options, arguments = parser.parse_known_args()
    result = attempt(options, arguments)
    if result == DIFFERENT and options.machine == "qemu":
        # QEMU's guest and Linux live by the host's clock: a box that is busy elsewhere may have made a wait too long.
        print("once more: on QEMU time is the host's")
        result = attempt(options, arguments)
    return 1 if result else 0


if __name__ == "__main__":
    sys.exit(main())
