"""Runs a shell script as PID 1 of Debian's Linux in Vitrine: what it prints between BEGIN and END."""
import os
import subprocess
import sys
import tempfile

MAKE_INITRD = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "foreign", "linux", "make_initrd.py")


def on_debian(binary, kernel, script, cpus=1, files=()):
    """`files`: pairs of a path in the guest and one here."""
    with tempfile.TemporaryDirectory() as folder:
        init, initrd = os.path.join(folder, "init"), os.path.join(folder, "initrd.gz")
        with open(init, "w") as file:
            file.write("#!/bin/busybox sh\n/bin/busybox --install -s /bin\nmount -t proc proc /proc\necho BEGIN\n"
                       f"{script}\necho END\npoweroff -f\n")
        os.chmod(init, 0o755)
        subprocess.run([sys.executable, MAKE_INITRD, initrd, f"init={init}", "bin/busybox=/bin/busybox", *(f"{to}={path}" for to, path in files)], check=True)
        done = subprocess.run([binary, "--headless", "--cpus", str(cpus), "--serial", "stdio", "--kernel", kernel, "--initrd", initrd, "--append",
                               "console=ttyS0 quiet", "--limit-seconds", "250"], capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    text = done.stdout.decode("latin-1").replace("\r", "")
    if "BEGIN\n" not in text or "\nEND\n" not in text:
        sys.exit(f"Debian's Linux did not run the script, status {done.returncode}:\n{text[-3000:]}\n{done.stderr.decode('latin-1')[-1000:]}")
    return text[text.index("BEGIN\n") + 6:text.index("\nEND\n") + 1]
