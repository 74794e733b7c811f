#!/usr/bin/env python3
"""Runs a command under an X display of its own: with_display.py WxH COMMAND … — exits with the command's status.

Xvfb chooses the display number itself (-displayfd), so that any number of these can start at the same moment, here or in
another file system on the same machine."""
import os, subprocess, sys


def start(size):
    """An Xvfb of `size` ("1280x800"); returns the process and its DISPLAY."""
    reading, writing = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{size}x24", "-dpi", "96", "-nolisten", "tcp"],
                              pass_fds=[writing], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.close(writing)
    with os.fdopen(reading) as numbers:
        number = numbers.readline().strip()
    if not number:
        sys.exit(f"Xvfb did not start: {server.stderr.read().decode(errors='replace').strip()}")
    return server, f":{number}"


def main():
    server, display = start(sys.argv[1])
    try:
        status = subprocess.run(sys.argv[2:], env=dict(os.environ, DISPLAY=display)).returncode
    finally:
        server.terminate()
        server.wait()
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
