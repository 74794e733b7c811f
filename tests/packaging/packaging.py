#!/usr/bin/env python3
"""Vitrine as a package: what `cmake --install` and `cpack -G DEB` make is run from where it was put, away from the build.

usage: packaging.py BUILD CASE     CASE: install, deb, texts
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def run(*command, status=0, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=240, **options)
    if done.returncode != status:
        sys.exit(f"{' '.join(map(str, command))}: status {done.returncode}, not {status}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.stdout


def check(holds, what):
    if not holds:
        sys.exit(f"packaging.py: {what}")


def boots(program, folder):
    """The installed program finds firmware, guest, symbols and lessons, from a folder that knows nothing of them, and writes
    to none of them."""
    shared = program.parent.parent / "share/vitrine"
    said = run(program, "--headless", "--serial", "null", "--until", "step:1000", "--inspect", "calls", cwd=folder)
    check("[firmware]" in said, f"the firmware's symbols are missing: {said!r}")
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}
    for path in shared.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    console = run(program, "--headless", "--type", r"cat /etc/hostname; poweroff\n", "--limit-steps", "4000000000", cwd=folder)
    check("Power down" in console, f"{program}: no shell that powers off:\n{console[-800:]}")
    registers = run(program, "--headless", "--serial", "null", "--until", "rip:start_kernel", "--inspect", "registers", cwd=folder)
    check("start_kernel" in registers, f"no symbols beside {program}:\n{registers}")
    check("14-buddies" in run(program, "--lessons", cwd=folder), "no lessons")
    run(program, "--lesson", "1", "--check", cwd=folder)
    after = {path: path.stat().st_mtime_ns for path in shared.rglob("*")}
    check(before == after, "a run changed the installed files")


def writable_again(folder):
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)


def case_install(build, folder):
    run("cmake", "--install", build, "--prefix", folder / "prefix")
    shutil.move(folder / "prefix", folder / "moved elsewhere")
    boots(folder / "moved elsewhere/bin/vitrine", folder)


def case_deb(build, folder):
    run("cpack", "-G", "DEB", "--config", build / "CPackConfig.cmake", "-B", folder / "package", cwd=folder)
    package, = (folder / "package").glob("*.deb")
    depends = run("dpkg-deb", "--field", package, "Depends")
    for wanted in ("libc6", "libsdl2-2.0-0", "libcapstone4", "libslirp0", "fonts-dejavu-core"):
        check(wanted in depends, f"the package does not depend on {wanted}: {depends}")
    root = folder / "root"
    run("dpkg-deb", "-x", package, root)
    check(sorted(path.name for path in root.iterdir()) == ["usr"], "the package puts files outside /usr")
    for wanted in ("share/applications/vitrine.desktop", "share/icons/hicolor/scalable/apps/vitrine.svg", "share/man/man1/vitrine.1",
                   "share/bash-completion/completions/vitrine", "share/doc/vitrine/copyright", "share/doc/vitrine/cli.md"):
        check((root / "usr" / wanted).is_file(), f"the package has no {wanted}")
    desktop = dict(line.split("=", 1) for line in (root / "usr/share/applications/vitrine.desktop").read_text().splitlines() if "=" in line)
    check(desktop["Exec"] == "vitrine --start-screen" and desktop["Icon"] == "vitrine" and desktop["Type"] == "Application", f"desktop entry: {desktop}")
    boots(root / "usr/bin/vitrine", folder)


def case_texts(build, folder):
    """Manual page and completion know exactly the options of --help, and bash takes the completion."""
    texts = build / "package"
    listed = set(re.findall(r"^  (?:-\w,)?(--[a-z0-9-]+)", run(build / "vitrine", "--help"), re.M))
    check(len(listed) > 50, f"--help lists {len(listed)} options")
    page = (texts / "vitrine.1").read_text()
    told = {option.replace("\\", "") for option in re.findall(r"\\fB(\\-\\-[a-z0-9\\-]+)\\fR", page.split(".SH DESCRIPTION")[1].split(".SH COMMANDS")[0])}
    check(listed <= told, f"not in the manual page: {listed - told}")
    check(".SH EXIT STATUS" in page and r"\fB76\fR" in page and r"\fB64\fR" in page, "the manual page has no exit statuses")

    def completed(*words):
        line = f'source {texts}/vitrine.bash; COMP_WORDS=({" ".join(words)} ""); COMP_CWORD={len(words)}; '
        if words[-1].endswith("?"):
            line = line.replace(f'{words[-1]} ""', words[-1][:-1]).replace(f"COMP_CWORD={len(words)}", f"COMP_CWORD={len(words) - 1}")
        return set(run("bash", "--norc", "-c", line + '_vitrine; printf "%s\\n" "${COMPREPLY[@]}"', cwd=folder).split())

    (folder / "a.vrec").write_text("")
    check(completed("vitrine", "--?") == listed, "completion of -- is not --help's list")
    check({"registers", "buddy", "runqueues"} <= completed("vitrine", "--inspect"), "--inspect does not complete views")
    check("14-buddies" in completed("vitrine", "--lesson"), "--lesson does not complete lessons")
    check(completed("vitrine", "--cpu", "v?") == {"v1", "v2", "v3"}, "--cpu v")
    check("a.vrec" in completed("vitrine", "--replay"), "--replay does not complete files")
    check(completed("vitrine", "recording", "a.vrec") == {"info", "verify", "trim", "export"}, "recording FILE")


def main():
    if len(sys.argv) != 3 or f"case_{sys.argv[2]}" not in globals():
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            globals()[f"case_{sys.argv[2]}"](Path(sys.argv[1]).resolve(), folder)
        finally:
            writable_again(folder)


if __name__ == "__main__":
    main()
