#!/usr/bin/env python3
"""Debian's gdb drives a machine: breakpoints, watchpoints, steps, both ways; registers and memory; monitor commands.

usage: run_gdb.py VITRINE VMLINUX
Each expectation is a pattern that must come after the one before it in gdb's output."""
import re
import subprocess
import sys

VITRINE, VMLINUX = sys.argv[1:3]
SCRIPT = [
    # commands, then what gdb must say, in this order
    (["info threads"], [r"Thread 1 \(processor 0, "]),
    (["monitor where"], [r"step \d+ of 0 to \d+"]),
    (["break schedule", "continue"], [r"Breakpoint 1, "]),
    (["printf \"RIP %#lx\\n\", $rip", "stepi", "printf \"NEXT %#lx\\n\", $rip", "reverse-stepi", "printf \"BACK %#lx\\n\", $rip"],
     [r"RIP 0x\w+", r"NEXT 0x\w+", r"BACK 0x\w+"]),
    (["delete", "watch *(long*)&jiffies", "continue"], [r"[Hh]ardware watchpoint 2", r"Old value = (\d+)", r"New value = (\d+)"]),
    (["continue"], [r"Old value = (\d+)", r"New value = (\d+)"]),
    (["monitor who-wrote jiffies"], [r"tick_handle_periodic.*0x1 -> 0x2"]),
    (["printf \"JIFFIES %ld\\n\", *(long*)&jiffies", "reverse-continue", "reverse-continue",
      "printf \"BEFORE %ld\\n\", *(long*)&jiffies"], [r"JIFFIES \d+", r"Old value", r"BEFORE \d+"]),
    (["delete", "info registers cr3 efer fs_base"], [r"cr3 +0x[0-9a-f]+", r"efer +0x\w*d01", r"fs_base"]),
    (["x/2i $rip"], [r"=> 0x"]),
    (["p $xmm0.uint128", "p $eflags", "p $st0"], [r"\$\d+ = ", r"\$\d+ = \[", r"\$\d+ = "]),
    (["monitor print jiffies"], [r"0x\w+"]),
    (["monitor break schedul"], [r"did you mean schedule"]),
    (["monitor inspect tasks"], [r"swapper/0"]),
    (["monitor phase init"], [r"step \d+"]),
    (["set $r15 = 0x1234567887654321", "printf \"R15 %#lx\\n\", $r15"], [r"R15 0x1234567887654321"]),
    (["set *(long*)&jiffies = 77", "printf \"POKED %ld\\n\", *(long*)&jiffies"], [r"POKED 77"]),
    (["monitor nonsense"], [r"is not a command"]),
    (["monitor seek 100"], [r"step 100 of"]),
    (["maintenance flush register-cache", "reverse-continue"], [r"No more reverse-execution history"]),
    (["kill"], [r""]),
]


def main():
    machine = subprocess.Popen([VITRINE, "--headless", "--serial", "null", "--gdb", "0", "--until", "phase:rest_init",
                                "--limit-seconds", "200"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    address = None
    for line in machine.stderr:
        found = re.search(r"target remote (\S+)", line)
        if found:
            address = found.group(1)
            break
    assert address, "the machine does not wait for gdb"
    # The port is taken now: one line, status 66.
    port = address.split(":")[1]
    taken = subprocess.run([VITRINE, "--headless", "--serial", "null", "--gdb", port], capture_output=True, text=True, timeout=60)
    assert taken.returncode == 66 and "in use" in taken.stderr and taken.stderr.count("\n") == 1, taken

    commands = ["set pagination off", "set confirm off", "set width 0", f"target remote {address}"]
    for part, _ in SCRIPT:
        commands += part
    arguments = ["gdb", "-nx", "-batch", VMLINUX]
    for command in commands:
        arguments += ["-ex", command]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
    machine.wait(timeout=30)
    out = done.stdout
    rest, groups = out, {}
    for part, patterns in SCRIPT:
        for pattern in patterns:
            found = re.search(pattern, rest)
            if not found:
                print(out)
                sys.exit(f"after {part}: no {pattern!r}")
            groups.setdefault(pattern.split(" ")[0], []).append(found.group(0))
            rest = rest[found.end():]
    values = {name: int(re.search(name + r" (0x[0-9a-f]+|\d+)", out).group(1), 0) for name in
              ("RIP", "NEXT", "BACK", "JIFFIES", "BEFORE")}
    assert values["RIP"] == values["BACK"] != values["NEXT"], values
    # The second reverse-continue has undone the write before the last.
    assert values["BEFORE"] == values["JIFFIES"] - 2, values
    assert machine.returncode == 0, machine.returncode
    print("gdb:", values)


main()
