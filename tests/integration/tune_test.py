#!/usr/bin/env python3
"""vitrine tune: killed at any trial it goes on and comes to the same settings; what it writes is a
configuration that train and evaluate take; a journal of something else is left alone."""

import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Suite, run, run_json  # noqa: E402

suite = Suite("tune")
folder = Folder()
FILE = folder / "train.txt"
TRIALS = ["--algorithm", "itemcf", "--trials", "9", "--threads", "2", "--time", "10m"]
MEASURED = 9 + 3 + 1  # halved twice


def write_interactions(path, shift=0, users=200, items=80):
    """`shift` gives other items to everybody, and leaves every count as it was."""
    chance = random.Random(7)
    with open(path, "w", encoding="ascii") as out:
        for user in range(users):
            liked = {(user % 4 + 4 * chance.randrange(items // 4)) for _ in range(10)}
            shifted = sorted((item + shift) % items for item in liked)
            out.write(" ".join(map(str, [user, *shifted])) + "\n")


def tune(out, *args):
    return run_json("tune", "--train", FILE, "--out", out, *TRIALS, *args)


def kill_after(out, n_trials):
    """Ends by SIGKILL as soon as so many trials were told."""
    told = 0
    with subprocess.Popen([VITRINE, "tune", "--train", str(FILE), "--out", str(out), *TRIALS],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            told += line.startswith("rung ")
            if told == n_trials:
                process.kill()
                break
        process.stderr.read()
    assert told == n_trials, told


@suite.test
def killed_at_any_trial_it_comes_to_the_same_settings():
    write_interactions(FILE)
    whole = tune(folder / "whole.yaml")
    assert (whole["measured"], whole["known"]) == (MEASURED, 0), whole
    for kill_at in (1, 5, 10):
        out = folder / f"killed-{kill_at}.yaml"
        kill_after(out, kill_at)
        again = tune(out)
        assert again["known"] >= kill_at, (kill_at, again)
        assert again["known"] + again["measured"] == MEASURED, (kill_at, again)
        assert out.read_bytes() == (folder / "whole.yaml").read_bytes(), kill_at
        lines = (folder / f"killed-{kill_at}.yaml.journal").read_text("ascii").splitlines()
        assert sorted(lines) == sorted(
            (folder / "whole.yaml.journal").read_text("ascii").splitlines())


@suite.test
def what_it_writes_is_taken_by_train_and_evaluate():
    config = folder / "whole.yaml"
    run("train", "--data", folder / "data", "--train", FILE, "--config", config)
    said = run_json("evaluate", "--train", FILE, "--protocol", "random", "--config", config)
    assert said["algorithm"] == "itemcf", said


@suite.test
def a_journal_of_other_data_or_no_journal_is_refused_and_left():
    out, journal = folder / "other.yaml", folder / "other.yaml.journal"
    tune(out)
    before = journal.read_bytes()
    write_interactions(FILE, shift=1)
    done = run("tune", "--train", FILE, "--out", out, *TRIALS, status=1)
    assert "another tuning" in done.stderr and "--out" in done.stderr, done.stderr
    assert journal.read_bytes() == before
    journal.write_text("my notes, without a line feed", "ascii")
    done = run("tune", "--train", FILE, "--out", out, *TRIALS, status=1)
    assert "another" in done.stderr, done.stderr
    assert journal.read_text("ascii") == "my notes, without a line feed"
    write_interactions(FILE)
    journal.write_bytes(before[:-20] + b"\n9 9 9\n")
    done = run("tune", "--train", FILE, "--out", out, *TRIALS, status=1)
    assert "no result" in done.stderr and "remove the journal" in done.stderr, done.stderr


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
