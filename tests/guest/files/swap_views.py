#!/usr/bin/env python3
"""Swapping as the host shows it: the views page-cache and space:1 say what the guest's own /proc says at the same step.

Usage: swap_views.py --binary VITRINE --bzimage FILE --disk FILE
"""
import argparse
import json
import os
import re
import subprocess
import sys
import tempfile


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "bzimage", "disk"):
        parser.add_argument("--" + name, required=True)
    options = parser.parse_args()
    look = "cat /proc/swaps; grep Swap /proc/meminfo; grep -H VmSwap /proc/1/status"
    with tempfile.TemporaryDirectory() as folder:
        second = os.path.join(folder, "second.img")
        with open(second, "wb") as file:
            file.truncate(96 << 20)
        command = [options.binary, "--headless", "--serial", "stdio", "-m", "40M", "--kernel", options.bzimage, "--disk", options.disk, "--disk", second, "--append",
                   "console=ttyS0 root=/dev/sda1", "--json", "--until", "serial:ALL SHOWN", "--limit-steps", "4000000000", "--inspect", "page-cache", "--inspect", "space:1"]
        # Twice: what the looking itself brings back is back by then.
        for line in ["mkswap /dev/sdb", "swapon /dev/sdb", "/test/swap hog 48", look + "; echo at first | tr a-z A-Z", look + "; echo all shown | tr a-z A-Z"]:
            command += ["--type", line.replace("\\", "\\\\") + "\\n"]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    text = done.stdout.decode("latin-1").replace("\r", "")
    decoder, views, at = json.JSONDecoder(), {}, text.find("\n{")
    while at >= 0:
        view, length = decoder.raw_decode(text[at + 1:])
        views.update(view)
        at = text.find("\n{", at + 1 + length)
    said = {name: int(number) for name, number in re.findall(r"^(SwapCached|SwapTotal|SwapFree): +(\d+) kB$", text, re.M)}
    area = re.findall(r"^/dev/sdb +partition\t(\d+)\t+(\d+)\t+(-\d+)$", text, re.M)
    init = re.findall(r"^/proc/1/status:VmSwap:\s+(\d+) kB$", text, re.M)
    if done.returncode != 0 or len(area) != 2 or len(init) != 2 or len(said) != 3:
        print(text[-3000:])
        print(f"FAILED: status {done.returncode}: the guest did not say what it has")
        return 1
    faults = []
    rows = views.get("swap", {}).get("rows", [])
    size, used, priority = (int(number) for number in area[-1])
    wanted = {"kind": "partition", "size": size * 1024, "in_use": used * 1024, "in_the_cache": said["SwapCached"] * 1024, "priority": priority}
    if len(rows) != 1 or any(rows[0][key] != value for key, value in wanted.items()) or not rows[0]["area"].endswith("sdb"):
        faults.append(f"the swap areas are shown as {rows}, not {wanted}")
    if said["SwapTotal"] != size or said["SwapTotal"] - said["SwapFree"] != used:
        faults.append(f"/proc/meminfo says {said}, /proc/swaps {area[-1]}")
    shown, counted = views.get("swapped_pages"), sum(row["swapped_pages"] for row in views.get("areas", []))
    if shown is None or shown * 4 != int(init[-1]) or shown != counted or not shown:
        faults.append(f"init has {init[-1]} kB on the disk by /proc, {shown} pages by its MemoryStruct, {counted} by its page tables")
    for fault in faults:
        print(f"FAILED: {fault}")
    if faults:
        print(text[-6000:])
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
