#!/usr/bin/env python3
"""Recommend behind the gateway as a share of an echo behind the same gateway, in one run.

    tests/perf/gateway_vs_echo.py [--items 10000] [--rounds 3] [--seconds 5] [--one] [--data DIR]

The cell is the deployed one (profile, candidate, ranking, mutual TLS), or with --one a single process
with all roles; the echo is `vitrine-load floor` with the same certificates and replies as large as a
real answer, behind a second gateway that is rendered from the same values. One generator loads the
four in turn, as fast as they go: echo and Recommend behind the gateway, then both without it. So the
first ratio is what callers see of our services, and the others, with the processor time that the
gateway takes for a call, are its own cost. Then the same four at one steady rate, an open loop at a
quarter of the least of them: what the gateway adds to the latency. Nothing is asserted: a figure is
a ratio within this run.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from deployed import KEYS, DeployedCell, Gateway, make_certificates, tls  # noqa: E402
from vitrine import Folder, Server, bin_dir, run  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
CUSTOMERS = "20000"


class Side:
    """Something that can be loaded: a target, and what it takes to call it."""

    def __init__(self, name, target, gateway, *options):
        self.name, self.target, self.gateway = name, target, gateway
        self.options = list(map(str, options))
        self.degraded = 0  # answers to load(): as many callers at once wait longer than a step may

    def load(self, seconds):
        """Calls answered a second and not degraded, and microseconds of the gateway's processor
        time for each answer."""
        before = processor_s(self.gateway)
        result = self.run_generator(seconds, "max")
        spent_us = (processor_s(self.gateway) - before) * 1e6
        self.degraded += result["degraded"]
        return ((result["ok"] - result["degraded"]) / result["duration_s"],
                spent_us / max(1, result["ok"]))

    def latency(self, seconds, rate):
        """Microseconds, p50 and p99, of calls that come at a steady rate, and the gateway's processor
        time for each."""
        before = processor_s(self.gateway)
        result = self.run_generator(seconds, rate)
        spent_us = (processor_s(self.gateway) - before) * 1e6
        return result["p50_us"], result["p99_us"], spent_us / max(1, result["ok"])

    def run_generator(self, seconds, rate):
        done = subprocess.run([LOAD, "recommend", "--target", self.target, *self.options,
                               "--duration", f"{seconds}s", "--warmup", "0ms", "--timeout", "5s",
                               "--customers", CUSTOMERS, "--rate", str(rate), "--json"],
                              capture_output=True, text=True, timeout=seconds + 60)
        assert done.returncode == 0, f"{self.name}: {done.stdout}{done.stderr}"
        result = json.loads(done.stdout)
        result.pop("timeline", None)
        assert not result["errors"], (self.name, result)
        return result


def processor_s(gateway):
    """User and system time of a gateway's process so far."""
    if gateway is None:
        return 0.0
    fields = pathlib.Path(f"/proc/{gateway.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_data(folder, items):
    shop = folder / "shop"
    run("demo-data", "--out", shop, "--items", items, "--customers", CUSTOMERS, timeout=600)
    run("import", "--data", folder / "data", *sorted(shop.glob("*.jsonl")), timeout=1200)
    run("train", "--data", folder / "data", "--set", "factors=64", timeout=3600)


def reply_bytes_of(server, certs):
    """Roughly the size of an answer on the wire: its ids, numbers, scores, version and token."""
    answer = json.loads(run("recommend", "--target", server.target, "--customer", "C000001",
                            *tls(certs, "storefront"), "--json").stdout)
    ids = sum(len(item["id"]) + 17 for item in answer["items"])
    return ids + len(answer["modelVersion"]) + len(answer["attributionToken"]) + 4


def start_floor(certs, reply_bytes):
    floor = subprocess.Popen([LOAD, "floor", "--listen", "127.0.0.1:0", "--reply-bytes",
                              str(reply_bytes), *map(str, tls(certs))],
                             stderr=subprocess.PIPE, text=True)
    port = re.search(r"port (\d+)", floor.stderr.readline()).group(1)
    return floor, f"127.0.0.1:{port}"


def behind(gateway, name, certs):
    return Side(name, gateway.target, gateway, "--tls-ca", certs / "ca.pem",
                "--metadata", f"x-api-key={KEYS['storefront']}")


def direct(target, name, certs):
    return Side(name, target, None, *tls(certs, "storefront"))


def compare(sides, options):
    rates, costs = {side.name: [] for side in sides}, {side.name: [] for side in sides}
    for number in range(1, options.rounds + 1):
        for side in sides:
            rate, cost = side.load(options.seconds)
            rates[side.name].append(rate)
            costs[side.name].append(cost)
        print(f"round {number}: " + ", ".join(f"{name} {found[-1]:.0f}/s"
                                              for name, found in rates.items()), flush=True)
    for name in ("echo", "Recommend"):
        print(f"the gateway's processor time for a call of {name}: "
              f"{' '.join(f'{cost:.0f}' for cost in costs[name])} µs")
    for side in sides:
        if side.degraded > 0:
            print(f"{side.name}: {side.degraded} answers were degraded, and are not counted")
    return rates


def tell_ratios(rates):
    for what, over, under in (("Recommend / echo behind the gateway", "Recommend", "echo"),
                              ("Recommend / echo without it", "Recommend direct", "echo direct"),
                              ("echo behind the gateway / direct", "echo", "echo direct"),
                              ("Recommend behind the gateway / direct", "Recommend",
                               "Recommend direct")):
        ratios = [a / b for a, b in zip(rates[over], rates[under])]
        print(f"{what}: {' '.join(f'{ratio:.3f}' for ratio in ratios)}, "
              f"median {statistics.median(ratios):.3f}")


def tell_latency(sides, rates, options):
    """Rounds by turns as above; each figure is the median of its rounds."""
    rate = max(1, int(min(min(found) for found in rates.values()) / 4))
    found = {side.name: [] for side in sides}
    for _ in range(options.rounds):
        for side in sides:
            found[side.name].append(side.latency(options.seconds, rate))
    median = {name: [statistics.median(column) for column in zip(*rounds)]
              for name, rounds in found.items()}
    for name, (p50, p99, cost) in median.items():
        print(f"{name} at {rate}/s: p50 {p50:.0f} µs, p99 {p99:.0f} µs" +
              (f", the gateway's processor time {cost:.0f} µs a call" if cost else ""))
    for name in ("echo", "Recommend"):
        p50, p99 = (median[name][i] - median[f"{name} direct"][i] for i in (0, 1))
        print(f"the gateway adds to {name}: p50 {p50:.0f} µs, p99 {p99:.0f} µs")


class OneProcess:
    """All roles in one process with mutual TLS, behind the gateway."""

    def __init__(self, data, folder):
        self.certs = folder / "certs"
        make_certificates(self.certs)
        self.rankings = [Server(data, *tls(self.certs))]
        self.profile = self.rankings[0]
        self.gateway = Gateway(folder / "gateway", self.certs, [self.profile.target],
                               [self.profile.target])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.stop()
        self.profile.stop()


def measure(data, folder, options):
    make = OneProcess if options.one else DeployedCell
    with make(data, folder / "cell", **({} if options.one else {"rankings": 1})) as cell:
        size = reply_bytes_of(cell.rankings[0], cell.certs)
        floor, floor_target = start_floor(cell.certs, size)
        echo = None
        try:
            echo = Gateway(folder / "echo", cell.certs, [floor_target], [cell.profile.target])
            sides = [behind(echo, "echo", cell.certs), behind(cell.gateway, "Recommend", cell.certs),
                     direct(floor_target, "echo direct", cell.certs),
                     direct(cell.rankings[0].target, "Recommend direct", cell.certs)]
            print(f"replies of {size} bytes")
            rates = compare(sides, options)
            tell_ratios(rates)
            tell_latency(sides, rates, options)
        finally:
            if echo is not None:
                echo.stop()
            floor.terminate()
            floor.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--one", action="store_true", help="one process with all roles")
    parser.add_argument("--data", type=pathlib.Path, help="a folder that is trained already")
    options = parser.parse_args()
    with Folder() as folder:
        if not options.data:
            make_data(folder, options.items)
        measure(options.data or folder / "data", folder, options)


if __name__ == "__main__":
    main()
