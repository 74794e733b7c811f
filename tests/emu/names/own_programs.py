#!/usr/bin/env python3
"""Performs docs/own-programs.md as it stands: every `sh` block, one after the other, in an empty folder. own_programs.py VITRINE PAGE FOLDER"""
import os, re, shutil, subprocess, sys

vitrine, page, folder = map(os.path.abspath, sys.argv[1:4])
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder + "/bin")
os.symlink(vitrine, folder + "/bin/vitrine")
blocks = re.findall(r"^```sh\n(.*?)^```$", open(page).read(), re.S | re.M)
if len(blocks) < 4:
    sys.exit(f"{page}: {len(blocks)} blocks")
environment = dict(os.environ, PATH=folder + "/bin:" + os.environ["PATH"] + ":/usr/sbin:/sbin",
                   GUEST=os.path.join(os.path.dirname(vitrine), "guest"))
done = subprocess.run(["bash", "-euo", "pipefail", "-c", "\n".join(blocks)], cwd=folder, env=environment, capture_output=True, text=True,
                      errors="replace", timeout=200, stdin=subprocess.DEVNULL)
if done.returncode != 0:
    sys.exit(f"status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
print(f"{len(blocks)} blocks of {os.path.basename(page)} do what they say")
