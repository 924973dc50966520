#!/usr/bin/env python3
"""GetProfile as a share of the bare gRPC echo, in one run on one machine.

    vitrine-bench fill --data DIR --customers 1000000 --items 100000      (50 events each)
    tests/perf/profile_vs_floor.py --data DIR --customers 1000000 [--hot 20000] [--rounds 3]

Serves the folder, and starts the floor (an echo on the bare gRPC C core) with replies as large as a
profile of 50 events. Draws `hot` customers, warms the service up on them, and loads the two in turn
with the same generator, as fast as they go; prints calls a second and their ratio, round by round.
Nothing is asserted: a figure is a ratio within this run.
"""

import argparse
import pathlib
import random
import re
import statistics
import subprocess
import sys
import json

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, bin_dir  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
EVENTS = "50"
VARINT_2, VARINT_3 = 1 << 7, 1 << 14


def draw_customers(folder, options):
    """A fixed draw: of a million customers, those who are asked about."""
    draw = random.Random(1).sample(range(1, options.customers + 1), options.hot)
    path = folder / "customers.txt"
    path.write_text("".join(f"C{number:06}\n" for number in draw))
    return path


def load(target, customers, seconds, warmup):
    done = subprocess.run([LOAD, "profile", "--target", target, "--duration", f"{seconds}s",
                           "--warmup", f"{warmup}s", "--customers", customers, "--items", EVENTS,
                           "--rate", "max", "--json"],
                          capture_output=True, text=True, check=True, timeout=seconds + warmup + 60)
    result = json.loads(done.stdout)
    assert not result["errors"], result
    return result


def start_floor(reply_bytes):
    floor = subprocess.Popen([LOAD, "floor", "--listen", "127.0.0.1:0", "--reply-bytes",
                              str(reply_bytes)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    port = re.search(r"port (\d+)", floor.stdout.readline()).group(1)
    return floor, f"127.0.0.1:{port}"


def compare(server, customers, options):
    floor, floor_target = start_floor(options.reply_bytes)
    ratios = []
    try:
        load(server.target, customers, 1, options.warmup)
        for number in range(1, options.rounds + 1):
            echo = load(floor_target, customers, options.seconds, 1)["goodput"]
            ours = load(server.target, customers, options.seconds, 1)["goodput"]
            ratios.append(ours / echo)
            print(f"round {number}: echo {echo:.0f}/s, GetProfile {ours:.0f}/s, "
                  f"ratio {ratios[-1]:.3f}", flush=True)
    finally:
        floor.terminate()
        floor.wait()
    print(f"median ratio {statistics.median(ratios):.3f}, replies of {options.reply_bytes} bytes")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--customers", type=int, required=True, help="how many the folder has")
    parser.add_argument("--hot", type=int, default=20000, help="how many of them are asked about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--reply-bytes", type=int, default=2000)
    options = parser.parse_args()
    with Folder() as folder, Server(options.data) as server:
        compare(server, draw_customers(folder, options), options)


if __name__ == "__main__":
    main()
