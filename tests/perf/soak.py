#!/usr/bin/env python3
"""A cell at 70 % of what it can do, for long, while everything changes: model versions every 10 s,
prices all the time, events from those who ask.

    tests/perf/soak.py [--three] [--minutes 10] [--share 0.7] [--items 2000] [--customers 5000]

Finds the highest rate of Recommend that is held in open loop, then offers the share of it (80 %
recommend, 10 % similar, 10 % events, deadlines of a second). Customers who do nothing themselves
are witnesses: their lists under each version are known beforehand, and every later answer must be
the list of the version that it names, so an answer of two versions would show. Prints what was
sent, what failed, what was degraded and the memory, minute by minute; exit status 1 when a call
failed, a witness saw another list, or the memory of the last third is over a tenth above that of
the second.
"""

import argparse
import collections
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from background_load import BackgroundLoad  # noqa: E402
from vitrine import Folder, Server, ThreeServices, bin_dir, run  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")
N_WITNESSES = 20
SWAP_EVERY_S = 10
MIX = (("recommend", .8), ("similar", .1), ("events", .1))
MEMORY_SLACK = 1.1


def make_data(data, options):
    """A store whose items `vitrine-load prices` knows, and two versions of a model."""
    subprocess.run([str(bin_dir() / "vitrine-bench"), "fill", "--data", str(data), "--customers",
                    str(options.customers), "--items", str(options.items), "--events", "30"],
                   check=True, capture_output=True, timeout=1200)
    for seed in (1, 2):
        run("train", "--data", data, "--set", "factors=64", "--seed", seed, "--no-gate",
            timeout=1800)
    listed = json.loads(run("models", "list", "--data", data, "--json").stdout)
    return [line["version"] for line in listed["versions"]][:2]


class Cell:
    """One process or three over the folder."""

    def __init__(self, data, three):
        self.whole = ThreeServices(data) if three else Server(data)
        self.ranking = self.whole.ranking if three else self.whole
        self.profile = self.whole.profile if three else self.whole
        self.servers = [self.whole.profile, self.whole.candidate, self.whole.ranking] \
            if three else [self.whole]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()

    def rss_mib(self):
        def of(server):
            status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
            return int(status.split("VmRSS:")[1].split()[0]) / 1024
        return sum(map(of, self.servers))


def offer(cell, options, rate, seconds=4):
    done = subprocess.run([LOAD, "recommend", "--target", cell.ranking.target, "--rate", str(rate),
                           "--duration", f"{seconds}s", "--timeout", "1s", "--customers",
                           str(options.customers // 2), "--json"],
                          capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout)


def capacity(cell, options):
    """Calls a second that are held in open loop, which costs the generator more than a closed one."""
    most = offer(cell, options, "max")["goodput"]
    for tenths in range(9, 0, -1):
        rate = int(most * tenths / 10)
        result = offer(cell, options, rate)
        if result["ok"] - result["degraded"] >= .999 * result["sent"] and result["p99_us"] < 50e3:
            return rate
    raise AssertionError("no rate is held")


def wait_for(cell, version):
    until = time.monotonic() + 30
    while cell.ranking.ask("recommend", "--customer", "C000001")["modelVersion"] != version:
        assert time.monotonic() < until, f"{version} does not serve"
        time.sleep(.1)


class Witnesses:
    """Customers whose lists only change with the version."""

    def __init__(self, cell, data, versions, options):
        self.cell, self.lists, self.n_asked = cell, {}, collections.Counter()
        self.customers = [f"C{options.customers - i:06d}" for i in range(N_WITNESSES)]
        for version in versions:
            run("models", "activate", version, "--data", data)
            wait_for(cell, version)
            for customer in self.customers:
                _, self.lists[version, customer] = self.ask(customer)
        assert any(self.lists[versions[0], customer] != self.lists[versions[1], customer]
                   for customer in self.customers), "the versions can not be told apart"

    def ask(self, customer):
        """The version and the list; of a whole answer only: else what came, and None."""
        done = run("recommend", "--target", self.cell.ranking.target, "--customer", customer,
                   "--json", status=None)
        if done.returncode != 0:
            return f"refused: {done.stderr.strip()}", None
        answer = json.loads(done.stdout)
        if answer.get("degraded"):
            return "degraded", None
        return answer["modelVersion"], [item["id"] for item in answer["items"]]

    def check(self, customer):
        """What is wrong, or None."""
        version, items = self.ask(customer)
        self.n_asked[version] += 1
        if items is None:
            return None if version == "degraded" else f"{customer} is {version}"
        if items == self.lists[version, customer]:
            return None
        return f"{customer} under {version}: {items}, not {self.lists[version, customer]}"


def swap_and_reprice(data, cell, versions, options, ending, troubles):
    def swap():
        for version in itertools.cycle(versions):
            if ending.wait(SWAP_EVERY_S):
                return
            run("models", "activate", version, "--data", data)

    def reprice():
        while not ending.wait(1):
            done = subprocess.run([LOAD, "prices", "--target", cell.profile.target, "--items",
                                   str(options.items), "--updates", "1000", "--json"],
                                  capture_output=True, text=True, timeout=60)
            if done.returncode != 0:
                troubles.append(f"prices: {done.stderr}")
    threads = [threading.Thread(target=swap), threading.Thread(target=reprice)]
    for thread in threads:
        thread.start()
    return threads


def watch(cell, witnesses, minutes, troubles):
    """Asks witnesses for so long; the memory by minute."""
    until, next_minute, memory = time.monotonic() + minutes * 60, time.monotonic(), []
    for customer in itertools.cycle(witnesses.customers):
        if time.monotonic() >= next_minute:
            memory.append(cell.rss_mib())
            next_minute += 60
        if time.monotonic() >= until:
            return memory + [cell.rss_mib()]
        wrong = witnesses.check(customer)
        if wrong:
            troubles.append(wrong)
        time.sleep(.1)
    return memory


def soak(data, options):
    versions, troubles, ending = make_data(data, options), [], threading.Event()
    with Cell(data, options.three) as cell:
        witnesses = Witnesses(cell, data, versions, options)
        rate = capacity(cell, options) * options.share
        print(f"{len(cell.servers)} process(es), {rate:.0f} calls/s for {options.minutes} minutes",
              flush=True)
        loads = [BackgroundLoad(cell.profile.target if kind == "events" else cell.ranking.target,
                                "--customers", options.customers // 2,
                                *(("--catalog", cell.profile.target) if kind == "similar" else ()),
                                scenario=kind, rate=max(1, int(rate * share)))
                 for kind, share in MIX]
        threads = swap_and_reprice(data, cell, versions, options, ending, troubles)
        with loads[0], loads[1], loads[2]:
            try:
                memory = watch(cell, witnesses, options.minutes, troubles)
            finally:
                ending.set()
                for thread in threads:
                    thread.join()
    return tell(loads, witnesses, memory, troubles)


def tell(loads, witnesses, memory, troubles):
    for (kind, _), load in zip(MIX, loads):
        print(f"{kind}: {load}")
    print("witnesses:", ", ".join(f"{n} of {what}" for what, n in witnesses.n_asked.items()))
    print("memory, MiB:", " ".join(f"{mib:.0f}" for mib in memory))
    third = max(1, len(memory) // 3)
    if statistics.mean(memory[-third:]) > MEMORY_SLACK * statistics.mean(memory[-2 * third:-third]):
        troubles.append("the memory grows")
    if any(load.failed for load in loads):
        troubles.append("calls failed")
    for trouble in troubles[:5]:
        print("wrong:", trouble)
    return 1 if troubles else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--three", action="store_true", help="three processes")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--share", type=float, default=.7, help="of the highest rate")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--customers", type=int, default=5000)
    options = parser.parse_args()
    with Folder() as folder:
        sys.exit(soak(folder / "data", options))


if __name__ == "__main__":
    main()
