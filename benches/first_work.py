#!/usr/bin/env python3
"""Edits one card again and again and measures how long the build takes until the first of its steps has a log.

    python3 benches/first_work.py AXZOO ZOO NETWORK TIMES
"""

import re
import subprocess
import sys
import time
from pathlib import Path

program, zoo, network, times = sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
card = next(zoo.glob(f"model_cards/*/{network}.yaml"))
log = zoo / "cache/logs" / network / network / "quantize.log"
for _ in range(times):
    mean = f"0.{time.time_ns() % 10**9:09}"
    card.write_text(re.sub(r"mean: [0-9.]+", f"mean: {mean}", card.read_text()))
    time.sleep(0.1)
    log.unlink(missing_ok=True)
    began = time.perf_counter()
    child = subprocess.Popen([program, "build"], cwd=zoo, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not log.exists() and child.poll() is None:
        time.sleep(0.0005)
    first = time.perf_counter() - began
    child.wait()
    print(f"work starts after {first * 1e3:.0f} ms, done after {(time.perf_counter() - began) * 1e3:.0f} ms")
