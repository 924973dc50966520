#!/usr/bin/env python3
"""Recommend as a share of the bare gRPC echo, in one run on one machine.

    tests/perf/recommend_vs_floor.py [--items 10000] [--rounds 3] [--seconds 10] [--three]

Makes a storefront with that many items, imports, trains, serves it, and starts the floor (an echo
on the bare gRPC C core) with replies as large as a real answer. Then loads the two in turn with the
same generator, as fast as they go, and prints calls a second and their ratio, round by round; then
both at half of Recommend's maximum, for latencies. With --three, the services are three processes.
Beside the calls stand the processor's microseconds a call, of the services and of the generator,
and the ratio of their sums: where others use the machine too, that is the steadier figure. Nothing
is asserted: a figure is a ratio within this run.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, bin_dir, run  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
CUSTOMERS = "20000"
DAYS = "212"  # of the demo shop: about 50 events a customer
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

# What was loaded, and what that took: calls a second, and µs of processor a call of the loaded
# processes and of the generator.
Load = collections.namedtuple("Load", "rate server_us generator_us degraded")


def make_data(folder, items):
    shop = folder / "shop"
    run("demo-data", "--out", shop, "--items", items, "--customers", CUSTOMERS,
        "--days", DAYS, timeout=600)
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
    assert not result["errors"], result["errors"]
    return result


def cpu_s(pids):
    """Processor seconds of the processes so far."""
    def ticks(pid):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])
    return sum(map(ticks, pids)) / TICKS_A_SECOND


def load_to_the_brim(target, pids, seconds):
    before, generator = cpu_s(pids), os.times()
    result = load(target, seconds, "max")
    server, after = cpu_s(pids) - before, os.times()
    ours = (after.children_user + after.children_system
            - generator.children_user - generator.children_system)
    calls = result["goodput"] * (result["duration_s"] + result["warmup_s"])
    return Load(result["goodput"], server / calls * 1e6, ours / calls * 1e6, result["degraded"])


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


def describe(name, load):
    degraded = f", {load.degraded} degraded" if load.degraded else ""
    return (f"{name} {load.rate:.0f}/s ({load.server_us:.0f} + {load.generator_us:.0f} µs"
            f"{degraded})")


def processor(load):
    return load.server_us + load.generator_us


def compare_throughput(services, floor, options):
    """Each is a target and its processes; returns the median rate of the services."""
    rounds = []
    load_to_the_brim(*services, 1)  # the first answers fill caches and pools
    for number in range(1, options.rounds + 1):
        echo = load_to_the_brim(*floor, options.seconds)
        ours = load_to_the_brim(*services, options.seconds)
        rounds.append((echo, ours))
        print(f"round {number}: {describe('echo', echo)}, {describe('Recommend', ours)}: "
              f"ratio {ours.rate / echo.rate:.3f}, of processor time "
              f"{processor(echo) / processor(ours):.3f}", flush=True)
    ratio = statistics.median(ours.rate / echo.rate for echo, ours in rounds)
    by_cpu = statistics.median(processor(echo) / processor(ours) for echo, ours in rounds)
    print(f"median ratio {ratio:.3f}, of processor time {by_cpu:.3f}")
    return statistics.median(ours.rate for _, ours in rounds)


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
        ours = compare_throughput((target, [each.process.pid for each in services]),
                                  (floor_target, [floor.pid]), options)
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
