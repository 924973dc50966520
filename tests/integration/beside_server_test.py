#!/usr/bin/env python3
"""Commands given a data folder that a running server holds: import and train beside it."""

import fcntl
import json
import pathlib
import signal
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Suite, run, run_json  # noqa: E402

suite = Suite("beside_server")
folder = Folder()
SHOP = folder / "shop"
ALONE, SERVED = folder / "alone", folder / "served"


def import_json(data, *args):
    return run_json("import", "--data", data, *args)


def outcome(report):
    """What must not depend on who writes; times and paths do."""
    return {key: report[key] for key in ("written", "rows", "scores", "rules", "accepted", "store")}


def checkpoints(data):
    return [path.name for path in pathlib.Path(data).glob(".checkpoint-*")]


@suite.test
def import_through_a_server_gives_what_an_import_without_one_gives():
    run("demo-data", "--out", SHOP, "--customers", "800", "--items", "300", "--days", "30",
        "--seed", "11")
    first = outcome(import_json(ALONE, SHOP))
    again = outcome(import_json(ALONE, SHOP))
    with Server(SERVED):
        assert outcome(import_json(SERVED, SHOP)) == first
        assert outcome(import_json(SERVED, SHOP)) == again
    assert first["store"]["events_written"] > 5000 and first["store"]["events_known"] == 0
    assert again["store"]["events_known"] == first["store"]["events_written"]
    assert (ALONE / "channels.jsonl").read_bytes() == (SERVED / "channels.jsonl").read_bytes()


@suite.test
def both_ways_give_every_item_and_customer_the_same_number():
    versions = []
    for data in (ALONE, SERVED):
        trained = run_json("train", "--data", data, "--set", "factors=8")
        version = data / "bundles" / trained["version"]
        versions.append({path.name: path.read_bytes() for path in version.glob("*.arr")})
    assert versions[0] and versions[0] == versions[1], "the models differ"


@suite.test
def a_server_with_little_memory_a_call_takes_all_rows_in_parts():
    with Folder() as fresh, Server(fresh / "data", "--arena-kib", "256", http=True):
        report = outcome(import_json(fresh / "data", SHOP))
        assert report["store"]["events_written"] == report["accepted"]["event"]
        assert outcome(import_json(fresh / "data", SHOP))["store"]["events_written"] == 0


@suite.test
def a_folder_held_by_no_server_is_refused_with_the_holder():
    with Folder() as fresh:
        run("import", "--data", fresh / "data", SHOP / "items.jsonl")
        with open(fresh / "data" / "live.lock", "r+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write("12345\n")
            lock.flush()
            for command in (("import", "--data", fresh / "data", SHOP / "items.jsonl"),
                            ("train", "--data", fresh / "data")):
                done = run(*command, status=1)
                assert "held by process 12345" in done.stderr, done.stderr


@suite.test
def a_server_that_goes_away_fails_the_import_and_a_second_one_completes_it():
    with Folder() as fresh:
        data = fresh / "data"
        with Server(data) as server:
            process = subprocess.Popen([VITRINE, "import", "--data", data, SHOP],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            while "writing through it" not in process.stderr.readline():
                assert process.poll() is None, "the import ended early"
            server.stop(signal.SIGKILL)
            said = process.stderr.read()
            assert process.wait(60) == 1 and "away" in said, said
        done = outcome(import_json(data, SHOP))["store"]
        assert done["events_written"] + done["events_known"] == outcome(
            import_json(data, SHOP))["store"]["events_known"]


@suite.test
def train_under_load_leaves_no_checkpoint():
    with Server(SERVED) as server:
        failures, stop = [], threading.Event()

        def write_and_ask(number):
            count = 0
            while not stop.is_set():
                try:
                    count += 1
                    customer = f"load-{number}-{count}"
                    server.ask("event", "--customer", customer, "--item", "KI00-00001")
                    server.ask("recommend", "--customer", customer)
                except AssertionError as error:
                    failures.append(str(error))

        threads = [threading.Thread(target=write_and_ask, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(3):
                run("train", "--data", SERVED, "--set", "factors=8")
                assert checkpoints(SERVED) == []
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not failures, failures[:3]


@suite.test
def what_a_killed_train_left_is_removed_by_the_next_and_by_a_server_that_starts():
    left = SERVED / ".checkpoint-1" / "data" / "live"
    used = SERVED / ".checkpoint-2"
    with Server(SERVED):
        left.mkdir(parents=True)
        (left / "000001.sst").write_text("left by a kill")
        used.mkdir()
        holder = subprocess.Popen(["flock", "--exclusive", used, "sh", "-c", "echo held; read line"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "held\n"
        run("train", "--data", SERVED, "--set", "factors=8")
        assert checkpoints(SERVED) == [used.name], "what is in use stays, the rest goes"
        holder.communicate("\n")
    with Server(SERVED):
        assert checkpoints(SERVED) == []


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
