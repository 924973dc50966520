#!/usr/bin/env python3
"""Recommend as a share of the bare gRPC echo, in one run on one machine.

    tests/perf/recommend_vs_floor.py [--items 10000] [--rounds 3] [--seconds 10] [--three]

Makes a storefront with that many items, imports, trains, serves it, and starts the floor (an echo
on the bare gRPC C core) with replies as large as a real answer. Then loads the two in turn with the
same generator, as fast as they go, and prints calls a second and their ratio, round by round; then
both at half of Recommend's maximum, for latencies. With --three, the services are three processes.
Nothing is asserted: a figure is a ratio within this run.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, bin_dir, run  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
CUSTOMERS = "20000"


def make_data(folder, items):
    shop = folder / "shop"
    run("demo-data", "--out", shop, "--items", items, "--customers", CUSTOMERS, timeout=600)
    run("import", "--data", folder / "data", *(shop / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")), timeout=1200)
    run("train", "--data", folder / "data", "--set", "factors=64", timeout=3600)


def start_floor(reply_bytes):
    floor = subprocess.Popen([LOAD, "floor", "--listen", "127.0.0.1:0", "--reply-bytes",
                              str(reply_bytes)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    port = re.search(r"port (\d+)", floor.stdout.readline()).group(1)
    return floor, f"127.0.0.1:{port}"


def load(target, seconds, rate):
    done = subprocess.run([LOAD, "recommend", "--target", target, "--duration", f"{seconds}s",
                           "--customers", CUSTOMERS, "--rate", rate, "--json"],
                          capture_output=True, text=True, check=True, timeout=seconds + 60)
    result = json.loads(done.stdout)
    assert not result["errors"] and not result["degraded"], result
    return result


def reply_bytes_of(target):
    """Roughly the size of an answer on the wire: its ids, numbers, scores, version and token."""
    answer = json.loads(run("recommend", "--target", target, "--customer", "C000001",
                            "--json").stdout)
    ids = sum(len(item["id"]) + 17 for item in answer["items"])
    return ids + len(answer["modelVersion"]) + len(answer["attributionToken"]) + 4


def start_services(data, three):
    """The process to ask comes first; they are stopped in this order."""
    if not three:
        return [Server(data)]
    profile = Server(data, "--role", "profile")
    candidate = Server(data, "--role", "candidate", "--profile", profile.target)
    ranking = Server(data, "--role", "ranking", "--profile", profile.target, "--candidate",
                     candidate.target)
    return [ranking, candidate, profile]


def compare_throughput(target, floor_target, options):
    ratios = []
    for number in range(1, options.rounds + 1):
        echo = load(floor_target, options.seconds, "max")["goodput"]
        ours = load(target, options.seconds, "max")["goodput"]
        ratios.append(ours / echo)
        print(f"round {number}: echo {echo:.0f}/s, Recommend {ours:.0f}/s, "
              f"ratio {ratios[-1]:.3f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.3f}")
    return ours


def compare_latency(target, floor_target, options, rate):
    for name, where in (("echo", floor_target), ("Recommend", target)):
        steady = load(where, options.seconds, str(rate))
        print(f"{name} at {rate}/s: p50 {steady['p50_us']:.0f} µs, p99 {steady['p99_us']:.0f} µs, "
              f"p99.9 {steady['p999_us']:.0f} µs", flush=True)


def compare(data, options):
    services = start_services(data, options.three)
    target = services[0].target
    size = reply_bytes_of(target)
    floor, floor_target = start_floor(size)
    try:
        print(f"{len(services)} process(es), replies of {size} bytes")
        ours = compare_throughput(target, floor_target, options)
        compare_latency(target, floor_target, options, max(1, int(ours / 2)))
    finally:
        floor.terminate()
        floor.wait()
        for service in services:
            service.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--three", action="store_true")
    parser.add_argument("--data", type=pathlib.Path, help="a folder that is trained already")
    options = parser.parse_args()
    if options.data:
        compare(options.data, options)
        return
    with Folder() as folder:
        make_data(folder, options.items)
        compare(folder / "data", options)


if __name__ == "__main__":
    main()
