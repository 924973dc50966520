#!/usr/bin/env python3
"""What a Recommend call costs each process of a deployed cell, and how that grows with the catalog.

    tests/perf/capacity.py [--items 1000,10000,100000] [--rate 200] [--seconds 10]

For each size: a demo storefront, imported and trained; then profile, candidate and ranking with mutual
TLS behind the gateway, asked at a steady rate by a generator of ours. Printed are the processor time
that each process takes for a call, and its memory; and in the same run the processor time of a bare
echo for a call (vitrine-load floor, without TLS), in which other machines' figures can be had: how
many cores a cell wants is calls a second times these times. Nothing is asserted.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from deployed import KEYS, DeployedCell  # noqa: E402
from vitrine import Folder, bin_dir, run  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
CUSTOMERS = "20000"
ECHO_BYTES = 500


def make_data(folder, items):
    shop, data = folder / "shop", folder / "data"
    run("demo-data", "--out", shop, "--items", items, "--customers", CUSTOMERS, timeout=600)
    run("import", "--data", data, *sorted(shop.glob("*.jsonl")), timeout=1200)
    run("train", "--data", data, "--algorithm", "ials", "--set", "factors=64", timeout=3600)
    return data


def processor_s(pid):
    """User and system time of a process so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def load(target, options, *more):
    done = subprocess.run([LOAD, "recommend", "--target", target, "--duration",
                           f"{options.seconds}s", "--customers", CUSTOMERS, "--rate",
                           str(options.rate), "--json", *map(str, more)],
                          capture_output=True, text=True, timeout=options.seconds + 60)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout)
    if result["errors"] or result["degraded"] or result["goodput"] < 0.95 * options.rate:
        sys.exit(f"{target} cannot take {options.rate} calls/s here: {result['errors']}, "
                 f"{result['degraded']} degraded, {result['goodput']} answered a second")
    return result["ok"]


def cost_of(processes, call):
    """{name: microseconds of processor time for each of the calls that `call` makes}"""
    before = {name: processor_s(pid) for name, pid in processes.items()}
    n_calls = call()
    return {name: (processor_s(pid) - before[name]) * 1e6 / n_calls
            for name, pid in processes.items()}


def cell_cost(cell, options):
    processes = {"gateway": cell.gateway.process.pid, "ranking": cell.rankings[0].process.pid,
                 "candidate": cell.candidate.process.pid, "profile": cell.profile.process.pid}
    cost = cost_of(processes, lambda: load(
        cell.gateway.target, options, "--tls-ca", cell.certs / "ca.pem", "--metadata",
        f"x-api-key={KEYS['storefront']}"))
    return cost, {name: resident_mib(pid) for name, pid in processes.items()}


def echo_cost(options):
    floor = subprocess.Popen([LOAD, "floor", "--listen", "127.0.0.1:0", "--reply-bytes",
                              str(ECHO_BYTES)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True)
    try:
        port = re.search(r"port (\d+)", floor.stdout.readline())[1]
        return cost_of({"echo": floor.pid}, lambda: load(f"127.0.0.1:{port}", options))["echo"]
    finally:
        floor.terminate()
        floor.wait()


def measure(items, options):
    with Folder() as folder:
        with DeployedCell(make_data(folder, items), folder / "cell", rankings=1) as cell:
            cost, memory = cell_cost(cell, options)
            echo = echo_cost(options)
    print(f"{items} items, {options.rate} calls/s: echo {echo:.0f} µs a call", flush=True)
    for name in cost:
        print(f"  {name:10} {cost[name]:6.0f} µs a call ({cost[name] / echo:5.1f} echoes), "
              f"{memory[name]:5.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", default="1000,10000,100000")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=10)
    options = parser.parse_args()
    for items in options.items.split(","):
        measure(int(items), options)


if __name__ == "__main__":
    main()
