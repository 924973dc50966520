#!/usr/bin/env python3
"""vitrine train as a job that runs at night: killed and continued, refused beforehand, scheduled,
with erased customers out, on bad input and on a full disk. Whatever happens, what serves goes on
serving, and metrics are those of an independent implementation."""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import random
import signal
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Skip, Suite, run, run_json  # noqa: E402

suite = Suite("train_pipeline")
POWER_CUT = pathlib.Path(VITRINE).resolve().parents[1] / "tests" / "libvt_power_cut.so"
LONG = "VITRINE_TEST_ALL" in os.environ
# The exact solver: only it goes on from a checkpoint, which has the items alone, to the same bytes.
FAST = ["--set", "factors=16", "--set", "solver=cholesky", "--threads", "2"]
WAIT_S = 60


def write_interactions(path, users=400, items=90, tastes=3, each=14, seed=7):
    """Customers of three tastes, the first items of a taste more than its last."""
    chance = random.Random(seed)
    of_taste = items // tastes
    with open(path, "w", encoding="ascii") as out:
        for user in range(users):
            liked = {}
            while len(liked) < each:
                taste = user % tastes if chance.random() < 0.9 else chance.randrange(tastes)
                item = taste * of_taste + min(chance.randrange(of_taste), chance.randrange(of_taste))
                liked[item] = True
            out.write(" ".join(map(str, [user, *liked])) + "\n")


def array_hashes(data, version):
    folder = data / "bundles" / version
    return {name.name: hashlib.sha256(name.read_bytes()).hexdigest()
            for name in sorted(folder.glob("*.arr"))}


def current(data):
    return (data / "bundles" / "CURRENT").read_text(encoding="ascii").strip()


def leftovers(data):
    return [name.name for name in data.glob("*.checkpoint*")]


def train(data, *args, **more):
    return run_json("train", "--data", data, *FAST, *args, **more)


# ---- killed and continued ----

def train_in_the_dark(data, at, *args):
    """Ends with a power cut at the AT-th call that changes a file; True when it came through."""
    environment = {**os.environ, "LD_PRELOAD": str(POWER_CUT),
                   "VITRINE_POWER_CUT": f"{at}:{at}:{data.resolve()}"}
    done = subprocess.run([VITRINE, "train", "--data", str(data), *FAST, *args, "--json"],
                          capture_output=True, text=True, env=environment, timeout=300, check=False)
    assert done.returncode in (0, -signal.SIGKILL), (done.returncode, done.stderr[-2000:])
    return done.returncode == 0


@suite.test
def killed_at_many_points_it_goes_on_to_the_same_bytes():
    if not POWER_CUT.exists():
        raise Skip("the power cut library is not built")
    with Folder() as folder:
        file = folder / "train.txt"
        write_interactions(file)
        args = ["--train", str(file), "--checkpoint-every", "0ms"]
        whole = train(folder / "whole", *args)
        wanted = array_hashes(folder / "whole", whole["version"])
        assert not leftovers(folder / "whole"), "checkpoints are removed when done"
        continued = 0
        for at in range(3, 400, 7 if LONG else 37):
            data = folder / f"cut-{at}"
            data.mkdir()
            if train_in_the_dark(data, at, *args):
                break
            again = run("train", "--data", data, *FAST, *args, "--json")
            continued += "going on from its checkpoint" in again.stderr
            made = json.loads(again.stdout)
            assert array_hashes(data, made["version"]) == wanted, f"other bytes after a cut at {at}"
            assert current(data) == made["version"]
            assert not leftovers(data), leftovers(data)
        assert at > 100 and continued >= 2, (at, continued)


def killed_with_a_checkpoint(folder):
    """A data folder with checkpoints of a training that was killed, and its file."""
    if not POWER_CUT.exists():
        raise Skip("the power cut library is not built")
    file, data = folder / "train.txt", folder / "data"
    write_interactions(file)
    data.mkdir()
    args = ["--train", str(file), "--checkpoint-every", "0ms"]
    assert not train_in_the_dark(data, 60, *args)
    assert leftovers(data), "nothing was left to go on from"
    return file, data


@suite.test
def damaged_checkpoint_is_told_and_ignored():
    with Folder() as folder:
        file, data = killed_with_a_checkpoint(folder)
        for name in data.glob("*.checkpoint"):
            content = bytearray(name.read_bytes())
            content[len(content) // 2] ^= 1
            name.write_bytes(content)
        done = run("train", "--data", data, *FAST, "--train", file, "--json")
        assert "damaged" in done.stderr and "sha256" in done.stderr, done.stderr
        assert "going on" not in done.stderr
        assert array_hashes(data, json.loads(done.stdout)["version"]) == array_hashes(
            folder / "whole", train(folder / "whole", "--train", file)["version"])


@suite.test
def checkpoint_of_other_settings_is_told_and_ignored():
    with Folder() as folder:
        file, data = killed_with_a_checkpoint(folder)
        done = run("train", "--data", data, *FAST, "--train", file, "--set", "regularization=0.02")
        assert "another training" in done.stderr and "going on" not in done.stderr, done.stderr
        assert not leftovers(data)


# ---- beforehand ----

@suite.test
def what_cannot_fit_is_refused_with_what_would():
    with Folder() as folder:
        file, data = folder / "train.txt", folder / "data"
        write_interactions(file)
        before = train(data, "--train", file)["version"]
        done = run("train", "--data", data, "--train", file, "--set", "factors=512", "--memory",
                   "64MiB", status=1)
        assert "memory and about" in done.stderr, done.stderr
        assert "--set factors=" in done.stderr and "would fit" in done.stderr, done.stderr
        assert "--memory" in done.stderr and current(data) == before
        run("train", "--data", data, "--train", file, *FAST, "--memory", "1GiB")


# ---- what is learned ----

@suite.test
def curve_ends_early_and_the_rest_trains_as_long():
    with Folder() as folder:
        file = folder / "train.txt"
        write_interactions(file)
        done = run("train", "--data", folder / "data", *FAST, "--train", file, "--set",
                   "iterations=60", "--patience", "4", "--json")
        version = json.loads(done.stdout)["version"]
        curve = (folder / "data" / "bundles" / version / "curve.arr").read_bytes()[64:]
        points = list(struct.iter_unpack("<3d", curve))
        assert 4 <= len(points) < 60, len(points)
        losses = [loss for _, loss, _ in points]
        assert all(b <= a * (1 + 1e-6) for a, b in zip(losses, losses[1:])), "the loss rose"
        asked = {int(iteration): ndcg for iteration, _, ndcg in points if ndcg >= 0}
        best = max(asked, key=lambda iteration: asked[iteration])
        shown = next(v for v in run_json("models", "list", "--data", folder / "data")["versions"]
                     if v["version"] == version)
        assert int(shown["parameters"]["iterations"]) == best, (best, shown["parameters"])


@suite.test
def warm_start_answers_as_well_in_fewer_iterations():
    with Folder() as folder:
        file, data = folder / "train.txt", folder / "data"
        write_interactions(file)
        cold = train(data, "--train", file)
        warm = train(data, "--train", file, "--warm")
        shown = {v["version"]: int(v["parameters"]["iterations"])
                 for v in run_json("models", "list", "--data", data)["versions"]}
        assert shown[warm["version"]] < shown[cold["version"]], shown
        assert any("both had seen" in line for line in warm["gate"]), warm["gate"]


@suite.test
def warm_start_that_cannot_be_is_refused_or_told():
    with Folder() as folder:
        file, data = folder / "train.txt", folder / "data"
        write_interactions(file, users=150)
        done = run("train", "--data", data, "--train", file, *FAST, "--warm")
        assert "nothing serves yet" in done.stderr, done.stderr
        done = run("train", "--data", data, "--train", file, "--set", "factors=8", "--warm")
        assert "16 factors" in done.stderr and "with 8" in done.stderr, done.stderr
        for family in ("ease", "blend", "itemcf"):
            done = run("train", "--data", data, "--train", file, "--algorithm", family, "--warm",
                       status=2)
            assert f"{family} has none" in done.stderr, done.stderr


@suite.test
def another_recipe_is_judged_by_training_the_serving_one_again():
    """Both have seen everything, so each recipe is trained without what is held out."""
    with Folder() as folder:
        file, data = folder / "train.txt", folder / "data"
        write_interactions(file)
        first = train(data, "--train", file)["version"]
        made = run_json("train", "--data", data, "--train", file, "--algorithm", "ease")
        lines = [line for line in made["gate"] if "the serving version's recipe" in line]
        assert len(lines) == 2 and all("neither had seen" in line for line in lines), made["gate"]
        assert made["published"] and made["version"] != first
        done = run("train", "--data", data, "--train", file, "--algorithm", "popularity", status=1)
        assert "of the serving version's recipe" in done.stderr and "worse" in done.stderr, (
            done.stderr)
        assert current(data) == made["version"]
        again = run_json("train", "--data", data, "--train", file, "--algorithm", "ease")
        assert any("both had seen" in line for line in again["gate"]), again["gate"]


def solve(matrix, rhs):
    """Gaussian elimination with pivoting."""
    n = len(rhs)
    rows = [list(matrix[i]) + [rhs[i]] for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(i + 1, n):
            share = rows[r][i] / rows[i][i]
            for c in range(i, n + 1):
                rows[r][c] -= share * rows[i][c]
    x = [0.0] * n
    for i in reversed(range(n)):
        x[i] = (rows[i][n] - sum(rows[i][c] * x[c] for c in range(i + 1, n))) / rows[i][i]
    return x


def read_npy(path, kind):
    content = path.read_bytes()
    length = struct.unpack("<H", content[8:10])[0]
    return [value for (value,) in struct.iter_unpack("<" + kind, content[10 + length:])]


def metrics_of(lists, test, k=20):
    recall = ndcg = 0.0
    for user, wanted in test.items():
        hits = [rank for rank, item in enumerate(lists[user][:k]) if item in wanted]
        recall += len(hits) / len(wanted)
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
        ndcg += sum(1 / math.log2(rank + 2) for rank in hits) / ideal
    return recall / len(test), ndcg / len(test)


def read_adjacency(path):
    rows = (list(map(int, line.split())) for line in path.read_text(encoding="ascii").splitlines())
    return {row[0]: set(row[1:]) for row in rows}


@suite.test
def metrics_are_those_of_an_independent_implementation():
    """Exported factors, folded in and ranked in plain Python, against `vitrine evaluate`."""
    with Folder() as folder:
        whole, train_file, test_file = (folder / n for n in ("all.txt", "train.txt", "test.txt"))
        write_interactions(whole, users=120, items=60)
        rows = [line.split() for line in whole.read_text(encoding="ascii").splitlines()]
        train_file.write_text("".join(" ".join(row[:-4]) + "\n" for row in rows), "ascii")
        test_file.write_text("".join(" ".join(row[:1] + row[-4:]) + "\n" for row in rows), "ascii")
        settings = ["--set", "factors=4", "--set", "iterations=5", "--set", "unobserved_weight=0.5",
                    "--set", "solver=cholesky"]
        said = run_json("evaluate", "--train", train_file, "--test", test_file, *settings)
        made = run_json("train", "--data", folder / "data", "--train", train_file, *settings,
                        "--patience", "0")
        run("models", "export", made["version"], "--data", folder / "data", "--out", folder / "npy")
        numbers = read_npy(folder / "npy" / "item_numbers.npy", "I")
        flat = read_npy(folder / "npy" / "item_factors.npy", "f")
        factors = {number: flat[4 * i:4 * i + 4] for i, number in enumerate(numbers)}
        known, test, lists = read_adjacency(train_file), read_adjacency(test_file), {}
        for user, items in known.items():
            strength = 0.01 * (len(items) + 0.5 * len(numbers))  # regularization, exponent 1
            matrix = [[0.5 * sum(y[i] * y[j] for y in factors.values())
                       + sum(factors[h][i] * factors[h][j] for h in items)
                       + (strength if i == j else 0) for j in range(4)] for i in range(4)]
            x = solve(matrix, [sum(factors[h][i] for h in items) for i in range(4)])
            score = {n: sum(a * b for a, b in zip(x, y)) for n, y in factors.items()}
            lists[user] = sorted((n for n in numbers if n not in items),
                                 key=lambda n: (-score[n], n))
        recall, ndcg = metrics_of(lists, test)
        assert abs(recall - said["recall"]) < 1e-6 and abs(ndcg - said["ndcg"]) < 1e-6, (
            recall, ndcg, said["recall"], said["ndcg"])


# ---- the live store ----

def demo(folder, customers=300):
    run("demo-data", "--out", folder / "demo", "--customers", customers, "--items", 100, "--days",
        20, "--seed", 3)
    run("import", "--data", folder / "data", folder / "demo")
    return folder / "data"


@suite.test
def erased_customers_are_out_of_the_next_training():
    with Folder() as folder:
        data = demo(folder)
        before = train(data)
        with open(folder / "demo" / "events.jsonl", encoding="utf-8") as events:
            customer = next(event["customer_id"] for event in map(json.loads, events)
                            if event.get("customer_id") and event["type"] == "purchase")
        left = None
        if POWER_CUT.exists():
            for at in range(250, 2000, 50):  # the store is opened, its files are changed, first
                train_in_the_dark(data, at, "--checkpoint-every", "0ms")
                left = leftovers(data)
                if left:
                    break
            assert left, "no cut came while it trained"
        run("erase", "--customer", customer, "--data", data, "--now")
        done = run("train", "--data", data, *FAST, "--json")
        after = json.loads(done.stdout)
        assert after["users"] == before["users"] - 1, (before["users"], after["users"])
        assert after["interactions"] < before["interactions"]
        assert "going on" not in done.stderr, "factors of before the erasure were taken up"
        assert not left or "another training" in done.stderr, done.stderr
        assert not leftovers(data)


# ---- by a schedule ----

class Schedule:
    """`vitrine train --every`: its log lines, as they come."""

    def __init__(self, data, *args):
        self.process = subprocess.Popen([VITRINE, "train", "--data", str(data), *FAST, *args],
                                        stderr=subprocess.PIPE, text=True)

    def wait_for(self, event):
        for line in self.process.stderr:
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and found.get("event") == event:
                    return found
                assert event == "train_failed" or found.get("event") != "train_failed", found
        raise AssertionError(f"the schedule ended before '{event}'")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        rest = self.process.stderr.read()
        assert self.process.wait(WAIT_S) == 0, rest
        return rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)
        self.process.stderr.close()


def write_more_events(folder):
    """Some of the demo's events again, under other ids."""
    with open(folder / "more.jsonl", "w", encoding="utf-8") as more, \
            open(folder / "demo" / "events.jsonl", encoding="utf-8") as events:
        for number, line in zip(range(200), events):
            event = json.loads(line)
            event["event_id"] = f"again-{number}"
            more.write(json.dumps(event) + "\n")
    return folder / "more.jsonl"


@suite.test
def schedule_beside_a_server_trains_what_is_new_and_ends_on_sigterm():
    with Folder() as folder:
        data = demo(folder)
        with Server(data) as server, Schedule(data, "--every", "500ms") as schedule:
            first = schedule.wait_for("train_done")
            assert current(data) == first["version"] and first["published"]
            schedule.wait_for("train_skipped")
            run("import", "--data", data, write_more_events(folder), "--keep-duplicates")
            second = schedule.wait_for("train_done")
            assert second["version"] != first["version"]
            assert "train_schedule_ended" in schedule.stop()
            assert server.stop() == 0


@suite.test
def schedule_tells_failures_and_goes_on():
    with Folder() as folder:
        (folder / "data").mkdir()
        with Schedule(folder / "data", "--every", "50ms") as schedule:
            schedule.wait_for("train_failed")
            schedule.wait_for("train_failed")
            assert '"failures":' in schedule.stop()


@suite.test
def old_versions_go_and_what_serves_stays():
    with Folder() as folder:
        file, data = folder / "train.txt", folder / "data"
        write_interactions(file, users=150)
        versions = [train(data, "--train", file, "--keep", "2", "--seed", seed,
                          "--no-gate")["version"] for seed in range(1, 5)]
        listed = [v["version"] for v in run_json("models", "list", "--data", data)["versions"]]
        assert listed == versions[:1:-1], (listed, versions)


# ---- bad input ----

BAD_FILES = [
    ("empty", "", "interaction"),
    ("customers without items", "1\n2\n", "interaction"),
    ("one customer", "1 2 3 4\n", "too little"),
    ("one item", "1 9\n2 9\n", "too little"),
    ("no number", "1 2 x\n", "line 1"),
    ("a number below zero", "1 -2\n", "line 1"),
    ("a number too large", "1 4294967296\n", "line 1"),
    ("a fraction", "1 2.5\n", "line 1"),
]


@suite.test
def bad_files_are_refused_and_the_old_model_serves():
    with Folder() as folder:
        file, data = folder / "train.txt", folder / "data"
        write_interactions(file, users=150)
        before = train(data, "--train", file)["version"]
        for name, text, reason in BAD_FILES:
            file.write_text(text, "ascii")
            done = run("train", "--data", data, "--train", file, *FAST, status=None)
            assert done.returncode == 1 and reason in done.stderr, (name, done.stderr)
            assert current(data) == before, name
        run("models", "verify", before, "--data", data)


@suite.test
def repeated_rows_and_more_factors_than_items_are_fine():
    with Folder() as folder:
        file = folder / "train.txt"
        write_interactions(file, users=150, items=30, each=8)
        once = train(folder / "once", "--train", file)
        file.write_text(file.read_text("ascii") * 2, "ascii")
        twice = train(folder / "twice", "--train", file)
        assert (once["users"], once["items"], once["interactions"]) == (
            twice["users"], twice["items"], twice["interactions"])
        wide = run_json("train", "--data", folder / "wide", "--train", file, "--set", "factors=64")
        assert wide["items"] == 30 and wide["published"]


@suite.test
def items_and_customers_without_events_are_passed_over():
    with Folder() as folder:
        data = demo(folder)
        with open(folder / "new.jsonl", "w", encoding="utf-8") as items:
            items.write(json.dumps({"item_id": "NOBODY-BOUGHT", "title": "A new cup"}) + "\n")
        run("import", "--data", data, folder / "new.jsonl")
        made = train(data)
        assert made["published"] and made["items"] <= 100


@suite.test
def full_disk_leaves_the_old_model_serving():
    with Folder() as folder:
        disk, file = folder / "disk", folder / "train.txt"
        disk.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
                               capture_output=True, text=True, check=False)
        if mount.returncode != 0:
            raise Skip("a small file system cannot be mounted here (needs root)")
        try:
            write_interactions(file)
            before = train(disk, "--train", file)["version"]
            info = os.statvfs(disk)
            with open(disk / "ballast", "wb") as ballast:
                os.posix_fallocate(ballast.fileno(), 0, info.f_bavail * info.f_frsize - 20000)
            done = run("train", "--data", disk, "--train", file, *FAST, status=1)
            assert "No space left" in done.stderr, done.stderr
            assert current(disk) == before
            run("models", "verify", before, "--data", disk)
            (disk / "ballast").unlink()
            after = train(disk, "--train", file)["version"]
            assert current(disk) == after != before
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)


if __name__ == "__main__":
    suite.run()
