#!/usr/bin/env python3
"""check_image.py IMAGE COMMAND…: the command makes the image again elsewhere; both must agree, and e2fsck must find its ext2 clean."""
import filecmp
import os
import subprocess
import sys
import tempfile

image, command = sys.argv[1], sys.argv[2:]
with tempfile.TemporaryDirectory() as folder:
    again, partition = os.path.join(folder, "again.img"), os.path.join(folder, "partition")
    subprocess.run([*command, "--output", again], check=True, umask=0o077)
    if not filecmp.cmp(image, again, shallow=False):
        sys.exit(f"{image}: a second build from the same inputs differs")
    with open(image, "rb") as source, open(partition, "wb") as target:
        source.seek(2048 * 512)
        target.write(source.read())
    environment = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if subprocess.run(["e2fsck", "-fn", partition], env=environment).returncode != 0:
        sys.exit(f"{image}: e2fsck is not content")
