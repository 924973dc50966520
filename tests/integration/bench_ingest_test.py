#!/usr/bin/env python3
"""vitrine-bench ingest in its shortest form: what it prints, and what must hold on any machine.
Nothing is timed."""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Suite, bin_dir  # noqa: E402

suite = Suite("bench_ingest")
folder = Folder()
DATA = folder / "bench"
EVENTS, BATCH = 20000, 100


def bench(*arguments):
    return subprocess.run([str(bin_dir() / "vitrine-bench"), "ingest", "--data", str(DATA),
                           *map(str, arguments)], capture_output=True, text=True, timeout=240)


DONE = bench("--events", EVENTS, "--batch", BATCH, "--rounds", 2, "--singles", 50, "--reads", 40,
             "--json")
REPORT = json.loads(DONE.stdout) if DONE.returncode == 0 else {}


@suite.test
def prints_one_object_with_every_documented_key():
    assert DONE.returncode == 0, DONE.stderr
    for key in ("events_per_s", "bare_events_per_s", "fsyncs", "bytes_per_event",
                "read_your_write_us", "ratio", "rows_per_event"):
        assert REPORT[key] > 0, (key, REPORT)
    assert len(REPORT["ratio_by_round"]) == 2, REPORT


@suite.test
def batches_share_fsyncs():
    assert 0 < REPORT["fsyncs"] < EVENTS / BATCH, REPORT


@suite.test
def single_writers_share_fsyncs():
    assert REPORT["writers_64_events_per_fsync"] > 1, REPORT


@suite.test
def every_write_is_seen_by_the_next_profile_and_recommendation():
    assert REPORT["read_your_write"] is True, REPORT


@suite.test
def leaves_nothing_behind():
    assert list(DATA.iterdir()) == [], list(DATA.iterdir())


@suite.test
def refuses_what_makes_no_sense():
    assert bench("--events", 1).returncode == 2
    assert bench("--events", EVENTS, "--batch", 1001).returncode == 2


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
