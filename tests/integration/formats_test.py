#!/usr/bin/env python3
"""Data folders of every format that was ever released open with today's programs.

tests/testlib/fixtures/data-folder-N is what a version wrote (make.sh there), with what it answered.
Whatever is in it must be read back: table files, the write-ahead log of a killed server, the model.
"""

import json
import pathlib
import sys
import tarfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, ROOT, Server, Suite, run, run_json  # noqa: E402

suite = Suite("formats")
FIXTURES = ROOT / "tests" / "testlib" / "fixtures"
FOLDERS = {"data-folder-1": 1, "data-folder-2": 2}  # and the layout of its store
FOREVER = ("--idempotency-window", "36500d")  # the fixtures grow old


def unpacked(name, folder):
    with tarfile.open(FIXTURES / name / "data.tar.gz") as packed:
        packed.extractall(folder / "data", filter="data")
    return folder / "data"


def answers(name):
    """What the writing version said of its customers: GetProfile responses."""
    return [json.loads(path.read_text()) for path in sorted((FIXTURES / name).glob("profile*.json"))]


def holds(now, then, where="answer"):
    """Everything that was told then is told now; a later version may tell more."""
    if isinstance(then, dict):
        for key, value in then.items():
            assert key in now, f"{where}.{key} is gone"
            holds(now[key], value, f"{where}.{key}")
    elif isinstance(then, list):
        assert len(now) == len(then), f"{where}: {len(now)} entries, not {len(then)}"
        for i, value in enumerate(then):
            holds(now[i], value, f"{where}[{i}]")
    else:
        assert now == then, f"{where}: {now!r}, not {then!r}"


def send(server, number, customer):
    return server.ask("event", "--customer", customer, "--item", f"NEW-{number}", "--type",
                      "purchase", "--id", f"late-{number}", "--time", "2026-01-01T10:00:00Z")


@suite.test
def every_data_folder_is_served():
    for name in FOLDERS:
        with Folder() as folder:
            data = unpacked(name, folder)
            version = (data / "bundles" / "CURRENT").read_text().strip()
            with Server(data, *FOREVER) as server:
                assert server.wait_for("store_upgraded")["from_layout"] == FOLDERS[name]
                for then in answers(name):
                    customer = then["customer"]["id"]
                    holds(server.ask("profile", "--customer", customer, "--events", "200"), then)
                    recommended = server.ask("recommend", "--customer", customer, "-n", "10")
                    assert len(recommended["items"]) == 10, recommended
                    assert recommended["modelVersion"] == version, recommended
                    assert not recommended["degraded"], recommended


@suite.test
def events_of_a_data_folder_are_not_accepted_again():
    for name in FOLDERS:
        with Folder() as folder:
            data = unpacked(name, folder)
            with Server(data, *FOREVER) as server:
                for number in (1, 2, 3):
                    result = send(server, number, "C000001")["results"][0]
                    assert result["outcome"] == "EVENT_OUTCOME_DUPLICATE", result
                result = send(server, 4, "C000001")["results"][0]
                assert result["outcome"] == "EVENT_OUTCOME_ACCEPTED", result


@suite.test
def every_data_folder_is_learned_from():
    for name in FOLDERS:
        with Folder() as folder:
            data = unpacked(name, folder)
            version = (data / "bundles" / "CURRENT").read_text().strip()
            run("models", "verify", version, "--data", data)
            before = run_json("evaluate", "--data", data, "--algorithm", "popularity")
            assert before["interactions"] > 0 and before["users"] > 0, before
            trained = run_json("train", "--data", data, "--set", "factors=8", "--no-gate")
            assert trained["version"] != version, trained


suite.run()
