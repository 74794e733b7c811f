#!/usr/bin/env python3
"""Every chip's fuzzer for some time, one after the other: chips.py FUZZ_CHIPS SECONDS [CHIP …]. Ends at the first finding."""
import re
import subprocess
import sys
from pathlib import Path

program, seconds, chips = Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3:]
if not chips:
    rigs = (Path(__file__).parent.parent / "devices/chip_rigs.cpp").read_text()
    chips = re.findall(r'^    \{"([^"]+)",', rigs[rigs.index("const Kind Kinds[]"):], re.M)
print(f"{len(chips)} chips: {', '.join(chips)}", flush=True)
for chip in chips:
    folder = Path(f"fuzz_{chip.replace(' ', '_')}.found").resolve()
    folder.mkdir(exist_ok=True)
    done = subprocess.run([program, f"--chip={chip}", f"-max_total_time={seconds}", "-max_len=4096", "-timeout=60", "-print_final_stats=1",
                           f"-artifact_prefix={folder}-", folder], capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    covered = re.findall(r"cov: (\d+)", done.stderr)
    print(f"{chip}: status {done.returncode}, {stats.get('number_of_executed_units')} runs, {covered[-1] if covered else '?'} edges, "
          f"{stats.get('peak_rss_mb')} MB", flush=True)
    if done.returncode != 0:
        sys.exit(done.stderr[-4000:])
