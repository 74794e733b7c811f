#!/usr/bin/env python3
"""Pictures of every panel at every size that the app is made for, to be looked at: pictures.py VITRINE FOLDER [PANEL…]

For the hand, not for ctest: some hundred pictures. The guest has run `spin` and stands in it, so that every panel has something to say."""
import os, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
SIZES = (("1024x600", "1"), ("1280x800", "1"), ("1920x1080", "1"), ("3840x2160", "2"))
PANELS = ("phases page-tables descriptors run-queues memory bytes devices breakpoints interrupts system-calls stack address-space "
          "slabs files block locks structures watches").split()

vitrine, folder = os.path.abspath(sys.argv[1]), sys.argv[2]
os.makedirs(folder, exist_ok=True)
failed = 0
for panel in sys.argv[3:] or PANELS:
    for size, scale in SIZES:
        picture = os.path.join(os.path.abspath(folder), f"{panel}-{size}.png")
        environment = dict(os.environ, SDL_RENDER_DRIVER="software", SDL_VIDEODRIVER="x11", XDG_CONFIG_HOME=os.path.join(os.path.abspath(folder), "config"))
        done = subprocess.run([sys.executable, os.path.join(HERE, "with_display.py"), size, vitrine, "--window", size, "--ui-scale", scale, "--serial", "null",
                               "--type", "spin 3 300\\n", "--until", "step:40000000", "--ui-tab", panel, "--ui-screenshot", picture],
                              env=environment, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 0 or not os.path.exists(picture):
            failed += 1
            print(f"{panel} at {size}: status {done.returncode} {done.stderr.strip()[-300:]}")
sys.exit(1 if failed else 0)
