#!/usr/bin/env python3
"""Debian's gdb drives a machine: breakpoints, watchpoints, steps, both ways; registers and memory; monitor commands.

usage: run_gdb.py VITRINE VMLINUX
Each expectation is a pattern that must come after the one before it in gdb's output."""
import os
import re
import subprocess
import sys
import tempfile

VITRINE, VMLINUX = sys.argv[1:3]
FOLDER = tempfile.TemporaryDirectory()
SAVED = os.path.join(FOLDER.name, "saved.vrec")
SCRIPT = [
    # commands, then what gdb must say, in this order
    (["info threads"], [r"Thread 1 \(processor 0, "]),
    (["monitor where"], [r"step \d+ of 0 to \d+"]),
    (["break schedule", "continue"], [r"Breakpoint 1, "]),
    (["printf \"RIP %#lx\\n\", $rip", "stepi", "printf \"NEXT %#lx\\n\", $rip", "reverse-stepi", "printf \"BACK %#lx\\n\", $rip"],
     [r"RIP 0x\w+", r"NEXT 0x\w+", r"BACK 0x\w+"]),
    (["delete", "watch *(long*)&jiffies", "continue"], [r"[Hh]ardware watchpoint 2", r"Old value = (\d+)", r"New value = (\d+)"]),
    (["continue"], [r"Old value = (\d+)", r"New value = (\d+)"]),
    (["monitor who-wrote jiffies"], [r"tick_do_update_jiffies64.*0x1 -> 0x2"]),
    (["monitor all-writes jiffies", "monitor all-writes jiffies 0 1", "monitor all-writes"],
     [r"0x0 -> 0x1(.|\n)*0x1 -> 0x2", r"none in the steps 0 to 1", r"all-writes TARGET"]),
    (["printf \"JIFFIES %ld\\n\", *(long*)&jiffies", "reverse-continue", "reverse-continue",
      "printf \"BEFORE %ld\\n\", *(long*)&jiffies"], [r"JIFFIES \d+", r"Old value", r"BEFORE \d+"]),
    (["delete", "info registers cr3 efer fs_base"], [r"cr3 +0x[0-9a-f]+", r"efer +0x\w*d01", r"fs_base"]),
    (["info registers cr0 cr2 cr4 cr8 gs_base k_gs_base"], [r"cr0 +0x80[0-9a-f]{6}", r"cr2 ", r"cr4 ", r"cr8 ", r"gs_base +0xffff", r"k_gs_base +0x0"]),
    (["p $ymm3.v4_int64", "set $ymm3.v2_int128[1] = 0x1122334455667788", "p/x $ymm3.v2_int128", "set $k_gs_base = 0x1000", "p/x $k_gs_base"],
     [r"\$\d+ = \{", r"\{0x\w+, 0x1122334455667788\}", r"\$\d+ = 0x1000"]),
    (["set $cr3 = 0"], [r"Could not write register \"cr3\""]),
    (["x/2i $rip"], [r"=> 0x"]),
    (["p $xmm0.uint128", "p $eflags", "p $st0"], [r"\$\d+ = ", r"\$\d+ = \[", r"\$\d+ = "]),
    (["monitor print jiffies"], [r"0x\w+"]),
    (["monitor break schedul"], [r"did you mean schedule"]),
    (["monitor inspect tasks"], [r"swapper/0"]),
    (["monitor inspect", "monitor inspect nonsense", "monitor who-changed xmm0", "monitor who-changed", "monitor who-wrote"],
     [r"inspect VIEW, one of", r"registers\[:CPU\]", r"inspect nonsense: no such view", r"'xmm0' is no register that can be followed", r"who-changed REGISTER", r"who-wrote ADDR"]),
    (["monitor phase init"], [r"step \d+"]),
    (["set $r15 = 0x1234567887654321", "printf \"R15 %#lx\\n\", $r15"], [r"R15 0x1234567887654321"]),
    (["set *(long*)&jiffies = 77", "printf \"POKED %ld\\n\", *(long*)&jiffies"], [r"POKED 77"]),
    (["monitor who-read jiffies"], [r"read 0x"]),
    (["monitor events syscall,interrupt"], [r"\d+ cpu 0 "]),
    (["monitor events interrupt 5000000 5100000"], [r"\d+ cpu 0 |none"]),
    (["monitor events nonsense", "monitor events all 5 4", "monitor events all 0 99999999999"],
     [r"is not", r"FROM before TO", r"outside history"]),
    (["monitor nonsense"], [r"is not a command"]),
    (["monitor save-recording", f"monitor save-recording {SAVED}"], [r"save-recording FILE", r"saved.vrec: \d+ steps, \d+ inputs"]),
    (["monitor seek 100"], [r"step 100 of"]),
    (["maintenance flush register-cache", "reverse-continue"], [r"No more reverse-execution history"]),
    (["kill"], [r""]),
]


# Over a recording: bounds, backwards from its end, and nothing can be written.
def replay_script(end):
    return [
        (["monitor where"], [rf"step \d+ of 0 to {end}"]),
        ([f"monitor seek {end - 1000}", "maintenance flush register-cache", "continue"], [rf"step {end - 1000}", r"No more reverse-execution history"]),
        (["monitor where"], [rf"step {end} of 0 to {end}"]),
        (["watch *(long*)&jiffies", "reverse-continue"], [r"Old value = (\d+)", r"New value = (\d+)"]),
        (["delete", "break schedule", "reverse-continue"], [r"Breakpoint 2, "]),
        (["monitor who-wrote jiffies"], [r"tick_do_update_jiffies64"]),
        (["set $rax = 1"], [r"this is a replay"]),
        (["set *(long*)&jiffies = 1"], [r"Cannot access memory"]),
        (["delete", "stepi", "reverse-stepi", f"monitor seek {end + 1}"], [r"outside history"]),
        (["kill"], [r""]),
    ]


def step_of(phase):
    """The step at which a phase begins: it moves whenever the kernel changes."""
    done = subprocess.run([VITRINE, "--headless", "--serial", "null", "--until", f"phase:{phase}", "--state-hash"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return int(re.search(r"at step (\d+)", done.stdout).group(1))


def start(*arguments):
    machine = subprocess.Popen([VITRINE, "--headless", "--serial", "null", "--gdb", "0", "--limit-seconds", "200", *arguments],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in machine.stderr:
        found = re.search(r"target remote (\S+)", line)
        if found:
            return machine, found.group(1)
    sys.exit("the machine does not wait for gdb")


def drive(address, script):
    commands = ["set pagination off", "set confirm off", "set width 0", f"target remote {address}"]
    for part, _ in script:
        commands += part
    arguments = ["gdb", "-nx", "-batch", VMLINUX]
    for command in commands:
        arguments += ["-ex", command]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    rest = done.stdout
    for part, patterns in script:
        for pattern in patterns:
            found = re.search(pattern, rest)
            if not found:
                print(done.stdout)
                sys.exit(f"after {part}: no {pattern!r}")
            rest = rest[found.end():]
    return done.stdout


def main():
    machine, address = start("--until", "phase:rest_init")
    # The port is taken now: one line, status 66.
    port = address.split(":")[1]
    taken = subprocess.run([VITRINE, "--headless", "--serial", "null", "--gdb", port], capture_output=True, text=True, timeout=60)
    assert taken.returncode == 66 and "in use" in taken.stderr and taken.stderr.count("\n") == 1, taken
    out = drive(address, SCRIPT)
    machine.wait(timeout=60)
    values = {name: int(re.search(name + r" (0x[0-9a-f]+|\d+)", out).group(1), 0) for name in
              ("RIP", "NEXT", "BACK", "JIFFIES", "BEFORE")}
    assert values["RIP"] == values["BACK"] != values["NEXT"], values
    # The second reverse-continue has undone the write before the last.
    assert values["BEFORE"] == values["JIFFIES"] - 2, values
    assert machine.returncode == 0, machine.returncode
    # What gdb wrote is in the recording that it had saved.
    verified = subprocess.run([VITRINE, "recording", SAVED, "verify"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert verified.returncode == 0 and " 0 inputs" not in verified.stdout, verified

    ready, end = step_of("rest_init"), step_of("init") + 3_500_000
    with tempfile.TemporaryDirectory() as folder:
        recording = os.path.join(folder, "run.vrec")
        made = subprocess.run([VITRINE, "--headless", "--serial", "null", "--limit-steps", str(end), "--record", recording,
                               "--checkpoints", "2000000"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert made.returncode == 75, made
        machine, address = start("--replay", recording, "--until", "phase:rest_init")
        drive(address, replay_script(end))
        machine.wait(timeout=60)
        assert machine.returncode == 0, machine.returncode

    # The limits hold while gdb has the machine.
    machine, address = start("--until", "phase:rest_init", "--limit-steps", str(ready + 200_000))
    drive(address, [(["continue"], [r"exited with code 0113"])])
    error = machine.stderr.read()
    machine.wait(timeout=60)
    assert machine.returncode == 75 and f"--limit-steps {ready + 200_000} is reached at step {ready + 200_000}" in error, (machine.returncode, error)
    machine = subprocess.run([VITRINE, "--headless", "--serial", "null", "--gdb", "0", "--limit-seconds", "0.5"], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=120)
    assert machine.returncode == 75 and "--limit-seconds 0.5 is over" in machine.stderr, machine
    print("gdb:", values)


main()
