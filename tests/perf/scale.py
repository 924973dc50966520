#!/usr/bin/env python3
"""A large store: what it takes on disk and in memory, and how soon it is ready.

    tests/perf/scale.py [--customers 1000000] [--items 100000] [--data DIR] [--seconds 20]

Fills DIR (a temporary folder without --data; one that is filled already is only served) with 50
events a customer, and prints bytes an event by family after compaction; then serves it with default
settings and prints, as /proc tells them, the time from start to ready and the resident memory: when
ready, after the filter of accepted ids is complete, and after GetProfile and Recommend calls as fast
as they go. Nothing is asserted.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, bin_dir  # noqa: E402

MIB = 1 << 20


def fill(data, customers, items):
    done = subprocess.run([str(bin_dir() / "vitrine-bench"), "fill", "--data", data, "--customers",
                           str(customers), "--items", str(items)], stdout=subprocess.PIPE,
                          check=True)
    result = json.loads(done.stdout)
    print(f"filled: {result['events']} events, {result['events_per_s']:.0f} a second")
    for family, size in sorted(result["bytes_per_event"].items(), key=lambda row: -row[1]):
        if size >= 0.01:
            print(f"  {family:16} {size:6.2f} bytes an event")


def resident(server, name):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name))
    return kib * 1024 / MIB


def metric(server, name):
    page = urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics").read().decode()
    return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))


def load(server, scenario, customers, seconds):
    done = subprocess.run([str(bin_dir() / "vitrine-load"), scenario, "--target", server.target,
                           "--rate", "max", "--duration", f"{seconds}s", "--items", "50",
                           "--customers", str(customers), "--json"], stdout=subprocess.PIPE,
                          check=True)
    return json.loads(done.stdout)["goodput"]


def serve(data, customers, seconds):
    started = time.monotonic()
    with Server(data, http=True) as server:
        print(f"ready {time.monotonic() - started:.2f} s after start, "
              f"{resident(server, 'VmRSS'):.0f} MiB resident")
        while metric(server, "vitrine_seen_filter_ready") < 1:
            time.sleep(1)
        print(f"filter complete after {time.monotonic() - started:.0f} s, "
              f"{resident(server, 'VmRSS'):.0f} MiB")
        for scenario in ("profile", "recommend"):
            rate = load(server, scenario, customers, seconds)
            print(f"{scenario}: {rate:.0f} calls a second, {resident(server, 'VmRSS'):.0f} MiB")
        print(f"peak {resident(server, 'VmHWM'):.0f} MiB")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=1000000)
    parser.add_argument("--items", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--data")
    options = parser.parse_args()
    with Folder() as folder:
        data = options.data or str(folder / "data")
        if not pathlib.Path(data, "live").exists():
            fill(data, options.customers, options.items)
        serve(data, options.customers, options.seconds)


main()
