#!/usr/bin/env python3
"""Three services under load while one of them is stopped, killed or swapped: every answer is on time.

The load is an open loop, so a server that stands still can not slow its own test down; a call that
is late has failed. Rates are low, for these tests run on busy machines.
"""
# Runs alone: a call that is late has failed, so the deadlines are those of a shop.
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Suite, ThreeServices, run  # noqa: E402

LOAD = pathlib.Path(VITRINE).with_name("vitrine-load")
suite = Suite("on_time")
folder = Folder()
DATA = folder / "data"
SHOP = folder / "shop"
RATE, SECONDS, DEADLINE = 60, 5, "800ms"
LONG = "VITRINE_TEST_ALL" in os.environ


class Load:
    """Recommends at a fixed rate beside the test; `result` is what the load tester says."""

    def __init__(self, target, seconds=SECONDS):
        self.process = subprocess.Popen(
            [str(LOAD), "recommend", "--target", target, "--rate", str(RATE), "--duration",
             f"{seconds}s", "--timeout", DEADLINE, "--connections", "2", "--customers", "300",
             "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def result(self):
        out, err = self.process.communicate(timeout=180)
        assert self.process.returncode == 0, err
        return json.loads(out)


def all_answered(result):
    assert result["ok"] >= 0.999 * result["sent"], result
    return result


def is_whole(three, customer="C000001"):
    return not three.ranking.ask("recommend", "--customer", customer)["degraded"]


def wait_until_whole(three, seconds=5):
    """The circuit lets a call through again within a moment; five seconds are promised."""
    deadline = time.monotonic() + seconds
    while not is_whole(three):
        assert time.monotonic() < deadline, "still degraded after its return"
        time.sleep(0.05)


@suite.test
def demo_data_imports_and_trains():
    run("demo-data", "--out", SHOP, "--customers", "300", "--items", "200", "--days", "40")
    run("import", "--data", DATA, *(SHOP / name for name in (
        "items.jsonl", "customers.jsonl", "channels.jsonl", "events.jsonl")))
    run("train", "--data", DATA, "--algorithm", "blend")


@suite.test
def a_stopped_service_costs_quality_and_no_answer():
    with ThreeServices(DATA) as three:
        for server in (three.candidate, three.profile):
            assert is_whole(three)
            load = Load(three.ranking.target)
            time.sleep(2)
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(2)
            os.kill(server.process.pid, signal.SIGCONT)
            wait_until_whole(three)
            result = all_answered(load.result())
            assert 0 < result["degraded"] < result["ok"], result


@suite.test
def a_killed_service_costs_quality_and_no_answer():
    with ThreeServices(DATA) as three:
        load = Load(three.ranking.target)
        time.sleep(2)
        three.candidate.stop(signal.SIGKILL)
        time.sleep(1)
        three.start_candidate(three.candidate.port)
        wait_until_whole(three)
        result = all_answered(load.result())
        assert 0 < result["degraded"] < result["ok"], result


@suite.test
def models_and_items_change_under_load_without_a_failed_call():
    """Each answer is of one version; nothing of the last one is mixed in."""
    seconds = 600 if LONG else SECONDS
    stop = threading.Event()
    versions = [line["version"] for line in trained_versions(2)]
    with ThreeServices(DATA) as three:
        def change():
            turn = 0
            while not stop.wait(10 if LONG else 1):
                run("models", "activate", versions[turn % 2], "--data", DATA)
                three.profile.ask("event", "--customer", f"C{1 + turn % 300:06d}", "--type",
                                  "view", "--item", "KI00-00001")
                turn += 1
        before = rss_kib(three)
        load = Load(three.ranking.target, seconds)
        changes = threading.Thread(target=change)
        changes.start()
        result = load.result()
        stop.set()
        changes.join()
        assert result["ok"] == result["sent"], result
        assert result["degraded"] <= 0.02 * result["sent"], result  # a budget, where CPUs are scarce
        if LONG:
            after = rss_kib(three)
            assert after < 1.3 * before + 65536, (before, after)


def trained_versions(n):
    listed = run("models", "list", "--data", DATA, "--json").stdout
    versions = json.loads(listed)["versions"]
    while len(versions) < n:
        run("train", "--data", DATA, "--algorithm", "blend", "--no-gate")
        versions = json.loads(run("models", "list", "--data", DATA, "--json").stdout)["versions"]
    return versions[:n]


def rss_kib(three):
    total = 0
    for server in (three.profile, three.candidate, three.ranking):
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        total += int(status.split("VmRSS:")[1].split()[0])
    return total


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
