#!/usr/bin/env python3
"""What a cell still does when far more is asked of it than it can do.

    tests/perf/overload.py [--data DIR] [--seconds 30] [--reply-items 100] [--factors 0.5,1,2,10]

Finds how many Recommend calls a second a cell answers on its half of the machine's cores (closed
loop; the generator has the other half), then offers that many times each factor in open loop, with
deadlines of 100 ms, and after the last of them half of it again. For each: answers in time as a
share of the capacity, how the rest ended, and the 99th percentile of what was answered. A call that
is refused still costs the server what gRPC takes for any call, about that of an echo: answers are
made large, so that ten times the capacity is not a flood of what would be more echoes than the
transport can do. On the same cores the generator would take from the server what it is to measure.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, bin_dir, run  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
CUSTOMERS = "2000"
DEADLINE = "100ms"


CORES = sorted(os.sched_getaffinity(0))
SERVER_CORES = CORES[:max(1, len(CORES) // 2)]
LOAD_CORES = CORES[len(CORES) // 2:]


@contextlib.contextmanager
def on_cores(cores):
    """What is started within runs there."""
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, CORES)


def start_server(data):
    with on_cores(SERVER_CORES):
        return Server(data, "--threads", len(SERVER_CORES))


def make_data(folder):
    shop = folder / "shop"
    run("demo-data", "--out", shop, "--items", 5000, "--customers", CUSTOMERS, timeout=600)
    run("import", "--data", folder / "data", *(shop / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")), timeout=1200)
    run("train", "--data", folder / "data", "--set", "factors=64", timeout=3600)
    return folder / "data"


def start_load(target, *more):
    return subprocess.Popen([LOAD, "recommend", "--target", target, "--customers", CUSTOMERS,
                             "--json", *map(str, more)], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def result_of(load):
    """The load's report; also when not one call was answered, which is its exit status 1."""
    text, _ = load.communicate(timeout=600)
    result = json.loads(text)
    del result["timeline"]
    return result


def rss_mib(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) // 1024


def offer(server, rate, seconds, items, timeout=DEADLINE):
    with on_cores(LOAD_CORES):
        load = start_load(server.target, "--rate", rate, "--duration", f"{seconds}s", "--timeout",
                          timeout, "--items", items)
    result = result_of(load)
    result["rss_mib"] = rss_mib(server)
    return result


def measure(server, factors, seconds, items):
    """The capacity, then a report for each factor, and one of half the capacity right after."""
    capacity = offer(server, "max", seconds, items, timeout="2s")["goodput"]
    reports = {factor: offer(server, max(1, int(capacity * factor)), seconds, items)
               for factor in factors}
    after = offer(server, max(1, int(capacity / 2)), 5, items)
    return capacity, reports, after


def row(name, capacity, report):
    ends = ", ".join(f"{code} {n / max(1, report['sent']):.1%}"
                     for code, n in sorted(report["errors"].items()))
    print(f"{name:>6} | {report['goodput']:8.0f}/s | {report['goodput'] / capacity:6.1%} | "
          f"{report['p50_us'] / 1000:6.1f} ms | {report['p99_us'] / 1000:6.1f} ms | "
          f"{report['rss_mib']:5} MiB | {ends}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="a folder with a trained version (default: a new one)")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--reply-items", type=int, default=100)
    parser.add_argument("--factors", default="0.5,1,2,10")
    args = parser.parse_args()
    with Folder() as folder:
        with start_server(args.data or make_data(folder)) as server:
            factors = [float(factor) for factor in args.factors.split(",")]
            capacity, reports, after = measure(server, factors, args.seconds, args.reply_items)
            print(f"capacity on {len(SERVER_CORES)} of {len(CORES)} cores: {capacity:.0f}/s")
            print("  load | in time    | of cap. | p50       | p99       | memory    | the others")
            for factor, report in reports.items():
                row(f"{factor:g}x", capacity, report)
            row("after", capacity, after)


if __name__ == "__main__":
    main()
