#!/usr/bin/env python3
"""Time and memory of `check` on files made to hurt: python3 benches/hostile.py AXZOO FOLDER [RUNS]

FOLDER holds a zoo per case, kept by the tests: AXZOO_KEEP=FOLDER cargo test --test cli hostile
Prints the slowest and the largest cases, of each the fastest of RUNS runs (3), and ends with 1 where one takes more than a
second or 256 MB.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SECONDS, MEGABYTES = 1.0, 256


def measure(program: str, zoo: Path) -> tuple[float, float]:
    """Wall seconds and peak megabytes of one check without a memory of an earlier one."""
    shutil.rmtree(zoo / "cache", ignore_errors=True)
    begin = time.perf_counter()
    child = subprocess.Popen(
        [program, "-C", zoo, "check", "--format", "json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 1):
        sys.exit(f"{zoo.name}: ended with {child.returncode}")
    return time.perf_counter() - begin, used.ru_maxrss * 1024 / 1e6


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, folder = os.path.abspath(sys.argv[1]), Path(sys.argv[2])
    runs = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    rows = []
    for zoo in sorted(path for path in folder.iterdir() if path.is_dir()):
        measured = [measure(program, zoo) for _ in range(runs)]
        rows.append((min(seconds for seconds, _ in measured), max(size for _, size in measured), zoo.name))
    if not rows:
        sys.exit(f"{folder}: no zoos; keep them with AXZOO_KEEP")
    print(f"{len(rows)} cases")
    for what, place in [("slowest", 0), ("largest", 1)]:
        print(f"{what}:")
        for seconds, size, name in sorted(rows, key=lambda row: -row[place])[:5]:
            print(f"  {seconds:6.3f} s  {size:6.1f} MB  {name}")
    beyond = [name for seconds, size, name in rows if seconds > SECONDS or size > MEGABYTES]
    sys.exit(f"beyond a second or {MEGABYTES} MB: {', '.join(beyond)}" if beyond else 0)


if __name__ == "__main__":
    main()
