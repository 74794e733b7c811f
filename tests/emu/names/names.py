#!/usr/bin/env python3
"""Names of code: the firmware's, and those of programs, read out of the guest. Oracles: llvm-nm, and debugfs's own ext2.

usage: names.py VITRINE CLANG NM PROGRAM_C HELLO BIOS_ELF FOLDER"""
import json, os, re, shutil, subprocess, sys

VITRINE, CLANG, NM, SOURCE, HELLO, BIOS, FOLDER = sys.argv[1:8]
shutil.rmtree(FOLDER, ignore_errors=True)
os.makedirs(FOLDER + "/tree")
os.chdir(FOLDER)


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"{' '.join(words)}: status {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def check(truth, why):
    if not truth:
        sys.exit(why)


def symbols(path):
    """[(address, name)] of the functions, as the tool chain prints them."""
    rows = [line.split() for line in run(NM, "-n", "--demangle", path).splitlines()]
    return [(int(row[0], 16), " ".join(row[2:]).replace("(anonymous namespace)::", "").split("(")[0]) for row in rows if len(row) > 2 and row[1] in "tT"]


def expected(table, address):
    at, name = [row for row in table if row[0] <= address][-1]
    return name + (f"+{address - at:#x}" if address > at else "")


def calls(*words):
    out = run(VITRINE, "--headless", "--serial", "null", "--limit-steps", "2000000000", "--json", "--inspect", "calls", *words)
    return json.loads(out[out.index("{"):])["frames"]


run(CLANG, "-O1", "-static", "-nostdlib", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-Wl,--build-id=none", "-o", "tree/prog", SOURCE)
shutil.copy("tree/prog", "prog")
# The hard way through ext2: blocks of 1 KiB, so that the file needs two levels of indirect blocks.
run("mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", "-d", "tree", "own.img", "16M")
table = symbols("prog")

for path in ("/mnt/prog", "/dev/prog", "/prog"):  # on a disk; in memory only; just written
    copy = "" if path.startswith("/mnt") else f"cp /mnt/prog {path}; "
    frames = calls("--disk", os.environ["TEST_DISK"], "--disk", "own.img", "--break", 'syscall:getpid if task.comm == "prog"', "--type",
                   f"mount -t ext2 /dev/sdb /mnt; {copy}{path}\\n")
    user = [f for f in frames if f["user"]]
    names = [f["name"] for f in user]
    want = [expected(table, int(f["address"], 16)) + " [prog]" for f in user]
    check(names == want, f"{path}: inspection {names}, nm {want}")
    check([re.split(r"[+ ]", n)[0] for n in names[-4:]] == ["innermost", "middle_one", "outermost", "_start"], f"{path}: the chain is {names}")
    check(user[0]["through"] == "system call getpid", f"{path}: {user[0]}")

# A bundled program has source lines, too.
frames = calls("--break", 'syscall:write if task.comm == "hello"', "--type", "hello\\n")
hello = symbols(HELLO)
user = [f for f in frames if f["user"]]
check([f["name"] for f in user] == [expected(hello, int(f["address"], 16)) + " [hello]" for f in user], f"hello: {user}")
check(user[0]["source"].startswith("guest/user/lib/text.cpp:"), f"hello: {user[0]}")

# Across the system call, in the kernel: entry code, dispatcher and the call itself.
frames = calls("--break", 'schedule if task.comm == "spin"', "--type", "spin 2 50\\n")
kernel = [re.split(r"[+ ]", f["name"])[0] for f in frames if not f["user"]]
check(kernel[0] == "schedule" and kernel[-2:] == ["do_syscall_64", "entry_SYSCALL_64"], f"kernel frames: {kernel}")

# The firmware, in its image below 4 GiB and in its shadow below 1 MiB, where it is linked.
bios = symbols(BIOS)
for step, moved in ((1000, 0xFFF00000), (200000, 0)):
    frame = calls("--until", f"step:{step}")[0]
    check(frame["name"] == expected(bios, int(frame["address"], 16) - moved).removeprefix("vitrine::bios::") + " [firmware]",
          f"firmware at step {step}: {frame}")

# What is overwritten has no names any more: 7C00 is the boot sector's, until it is something else's.
out = run(VITRINE, "--headless", "--serial", "null", "--until", "serial:# ", "--inspect", "code:0x7c00")
check("[boot sector]" not in out, "memory that the kernel gave away still has the boot sector's names:\n" + out[:400])
out = run(VITRINE, "--headless", "--serial", "null", "--break", "0x7c00", "--inspect", "code")
check("mbr_start [boot sector]:" in out, "the boot sector has no names:\n" + out[:400])
# A symbol of the running program is a place for views.
out = run(VITRINE, "--headless", "--serial", "null", "--break", 'syscall:write if task.comm == "hello"', "--type", "hello\\n", "--inspect", "code:program_main")
check(out.lstrip().startswith("program_main [hello]:"), out[:400])
print("names: programs on disks and in memory, firmware, boot sector, across the system call")
