"""lockstep.py VITRINE PROGRAM.bin INSTRUCTIONS [DISK ELF NM]: the same bare-metal program in Vitrine and on QEMU's TCG, one
instruction at a time, side by side through their gdb ports; with DISK, from the first POST code of the decompressor
in ELF (linked at 0, loaded at 1 MiB). Stops at the first register that differs and shows where; what the manual leaves open
(undefined flags) and what may differ between two computers (clocks, CPUID, ports) is in justified() with its reason, and the
peer is then set to what this engine has. A program is an image for the reset vector (tests/privileged)."""
import os
import subprocess
import sys
import tempfile

from remote import Remote

GENERAL = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip"]
COMPARED = GENERAL + ["eflags", "cs", "ss", "ds", "es", "fs", "gs"]
CF, PF, AF, ZF, SF, OF = 1, 4, 16, 64, 128, 2048
ARITHMETIC = CF | PF | AF | ZF | SF | OF
RF = 0x10000


def instruction(code, long64):
    """(opcode as a tuple, ModRM) of the bytes."""
    at = 0
    while at < len(code) and code[at] in (0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3):
        at += 1
    if long64 and at < len(code) and 0x40 <= code[at] < 0x50:
        at += 1
    rest = code[at:] + b"\0\0\0\0"
    if rest[0] == 0x0F:
        if rest[1] in (0x38, 0x3A):
            return (0x0F, rest[1], rest[2]), rest[3]
        return (0x0F, rest[1]), rest[2]
    return (rest[0],), rest[1]


def undefined_flags(opcode, modrm):
    """Flags that the manual leaves undefined after it (SDM 1, appendix A)."""
    reg = modrm >> 3 & 7
    one = opcode[0]
    if len(opcode) == 1:
        if one < 0x40 and one >> 3 in (1, 4, 6) and one & 7 < 6 or one in (0x84, 0x85, 0xA8, 0xA9) or one in (0x80, 0x81, 0x83) and reg in (1, 4, 6):
            return AF
        if one in (0xC0, 0xC1, 0xD0, 0xD1, 0xD2, 0xD3):
            return AF | OF | (CF if reg >= 4 else 0) if reg >= 4 else OF  # counts above the operand's size leave CF open
        if one in (0xF6, 0xF7):
            return {0: AF, 1: AF, 4: SF | ZF | AF | PF, 5: SF | ZF | AF | PF, 6: ARITHMETIC, 7: ARITHMETIC}.get(reg, 0)
        if one in (0x69, 0x6B):
            return SF | ZF | AF | PF
        return {0x27: OF, 0x2F: OF, 0x37: OF | SF | ZF | PF, 0x3F: OF | SF | ZF | PF, 0xD4: OF | AF | CF, 0xD5: OF | AF | CF}.get(one, 0)
    two = opcode[1]
    if len(opcode) == 2:
        if two == 0xAF:
            return SF | ZF | AF | PF
        if two in (0xBC, 0xBD):
            return ARITHMETIC & ~ZF
        if two in (0xA3, 0xAB, 0xB3, 0xBB, 0xBA):
            return OF | SF | AF | PF
        if two in (0xA4, 0xA5, 0xAC, 0xAD):
            return AF | OF | CF
    return 0


def justified(opcode, modrm):
    """Why this instruction's results may differ between the two computers; None: they may not."""
    reg = modrm >> 3 & 7
    if opcode in ((0xE4,), (0xE5,), (0xEC,), (0xED,), (0x6C,), (0x6D,)):
        return "a port of another board"
    if opcode == (0x0F, 0xA2):
        return "CPUID of another model"
    if opcode in ((0x0F, 0x31), (0x0F, 0x33), (0x0F, 0x01)) and (opcode != (0x0F, 0x01) or modrm == 0xF9):
        return "a clock"
    if opcode == (0x0F, 0x32):
        return "an MSR of another model"
    if opcode == (0x0F, 0xC7) and modrm >= 0xC0 and reg in (6, 7):
        return "randomness"
    return None


def main():
    vitrine, program, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    disk, start = None, None
    if len(sys.argv) > 4:
        disk, elf, nm = sys.argv[4:7]
        symbols = subprocess.run([nm, elf], capture_output=True, text=True, check=True).stdout
        start = 0x100000 + next(int(line.split()[0], 16) for line in symbols.splitlines() if "post_code" in line)
    our_disk = ["--disk", f"{disk},readonly"] if disk else []
    peers_disk = ["-drive", f"file={disk},format=raw,if=none,id=d,snapshot=on", "-device", "ide-hd,drive=d,bus=ide.0"] if disk else []
    with tempfile.TemporaryDirectory() as folder:
        ours_at, peers_at = os.path.join(folder, "ours"), os.path.join(folder, "peer")
        ours_process = subprocess.Popen([vitrine, "--headless", "--cpu", "v3", "--cpus", "1", "-m", "128M", "--no-reboot", "--serial", "null", "--history", "16M", "--bios",
                                         program, *our_disk, "--gdb", f"unix:{ours_at}"], stdin=subprocess.DEVNULL)
        peer_process = subprocess.Popen(["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max,vendor=GenuineIntel,la57=off", "-m", "128",
                                         "-display", "none", "-nodefaults", "-no-reboot", "-serial", "null", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
                                         "-bios", program, *peers_disk, "-S", "-gdb", f"unix:{peers_at},server=on,wait=off"], stdin=subprocess.DEVNULL)
        try:
            compare(Remote(ours_at), Remote(peers_at), wanted, start)
        finally:
            for process in (ours_process, peer_process):
                process.kill()
                process.wait()


def step(ours, peer):
    ours.send("s")
    peer.send("s")
    ours.receive()
    peer.receive()


def both(ours, peer):
    ours.send("g")
    peer.send("g")
    return ours.parse(ours.receive(), COMPARED + ["cr0", "efer"]), peer.parse(peer.receive(), COMPARED)


def compare(ours, peer, wanted, start):
    if start is not None:
        for side in (ours, peer):
            if side.ask(f"Z1,{start:x},1") != "OK":
                sys.exit("FAILED: no breakpoint")
            side.ask("c")
            side.ask(f"z1,{start:x},1")
    peer.ask("Qqemu.sstep=5")  # interrupts yes, timers no
    done, excused = 0, {}
    a, b = both(ours, peer)
    for name in COMPARED:  # two resets: RDX and the flags name the processor
        if a[name] != b[name]:
            print(f"at reset {name}: {a[name]:x}, peer {b[name]:x}")
            peer.set(name, a[name])
    boot = True
    while done < wanted:
        before = a
        try:
            step(ours, peer)
            a, b = both(ours, peer)
            for _ in range(3):  # an exit for the host's sake takes a step of the peer's and does nothing
                if a == before or any(b[n] != before[n] for n in COMPARED):
                    break
                peer.step()
                a, b = both(ours, peer)
            # A repeated string instruction is one step here, an iteration or all of them there; and the peer's first step only wakes it.
            for _ in range(100000):
                if a["rip"] == b["rip"] or before["rip"] not in (a["rip"], b["rip"]):
                    break
                (ours if a["rip"] == before["rip"] else peer).step()
                a, b = both(ours, peer)
        except EOFError:
            print(f"the program ended after {done} instructions")
            break
        done += 1
        differ = [n for n in COMPARED if a[n] != b[n]]
        if not differ:
            continue
        # The reset vector's code segment lies below 4 GiB until it is loaded; later, real mode's base is its selector's.
        boot = boot and before["cs"] == 0xF000 and not before["cr0"] & 1
        base = 0 if before["cr0"] & 1 else 0xFFFF0000 if boot else before["cs"] << 4
        code = ours.memory(base + before["rip"], 15)
        opcode, modrm = instruction(code, before["efer"] & 0x400)
        why = justified(opcode, modrm)
        defined = ~(undefined_flags(opcode, modrm) | RF)
        if why:
            excused[why] = excused.get(why, 0) + 1
        elif differ != ["eflags"] or (a["eflags"] ^ b["eflags"]) & defined:
            print(f"FAILED: instruction {done} at {before['cs']:04x}:{before['rip']:x} ({code.hex(' ')}):")
            for n in differ:
                print(f"  {n}: {before[n]:x} became {a[n]:x}, on the peer {b[n]:x}")
            sys.exit(1)
        else:
            excused["flags that the manual leaves open"] = excused.get("flags that the manual leaves open", 0) + 1
        for n in differ:
            peer.set(n, a[n])
    print(f"{done} instructions side by side; excused: {excused or 'none'}")


if __name__ == "__main__":
    main()
