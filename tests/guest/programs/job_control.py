#!/usr/bin/env python3
"""busybox's shell on the guest kernel, on QEMU: jobs are stopped, continued, interrupted and put in the background by hand.

Usage: job_control.py CPUS --bzimage FILE --disk FILE 
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kernel"))
import boot_on_qemu  # noqa: E402

SHELL = "/ # "


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cpus")
    parser.add_argument("--bzimage", required=True)
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    machine = boot_on_qemu.Machine(options.bzimage, options.disk, append="lockdep", extra=("-smp", options.cpus), seconds=25)

    def keys(text, wanted, prompt=SHELL):
        machine.process.stdin.write(text.encode())
        machine.process.stdin.flush()
        machine.expect(wanted)
        return machine.expect(prompt)

    try:
        machine.expect(boot_on_qemu.PROMPT)
        keys("cd /; sh\r", "BusyBox")
        for round_ in range(2):  # the second ^Z must work like the first
            machine.process.stdin.write(b"sleep 100\r" if round_ == 0 else b"fg\r")
            machine.process.stdin.flush()
            machine.expect("sleep 100")
            time.sleep(0.5)
            keys("\x1a", "Stopped")
        keys("jobs\r", "Stopped")
        machine.process.stdin.write(b"fg\r")
        machine.process.stdin.flush()
        machine.expect("sleep 100")
        time.sleep(0.3)
        keys("\x03", "^C")
        keys("jobs; echo none $?\r", "none 0")
        keys("sleep 1 | cat & wait; echo status $?\r", "status 0")
        keys("cat &\r", SHELL, "")
        time.sleep(0.3)
        keys("\r", "Stopped (tty input)")
        keys("kill -9 %1; wait; echo killed\r", "killed\r\n")
        keys("(sleep 0.3; exit 7); echo code $?\r", "code 7")
        keys("sleep 5 & p=$!; sleep 0.2; kill -STOP $p; kill -CONT $p; kill $p; wait $p; echo term $?\r", "term 143")
        keys("exit\r", "", boot_on_qemu.PROMPT)
        boot_on_qemu.check("WARNING" not in machine.text and "BUG:" not in machine.text, "the kernel complained")
        machine.power_off()
    except boot_on_qemu.Failure as failure:
        print(machine.text[-4000:])
        print(f"FAILED: {failure}")
        return 1
    finally:
        machine.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
