#!/usr/bin/env python3
"""vitrine train and vitrine models from outside: the same bytes for any thread count, a version that
serves, a damaged one refused with its reason, rollback, export, and too little data."""
import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import tempfile

BIN = os.environ.get("VITRINE_BIN",
                     os.path.join(os.path.dirname(__file__), "../../build/dev/bin"))
VITRINE = os.path.join(BIN, "vitrine")
count, failed = 0, 0


def check(condition, name, detail=""):
    global count, failed
    count += 1
    failed += not condition
    print(f"{'ok' if condition else 'not ok'} {count} - {name}")
    if not condition and detail:
        print("# " + str(detail).replace("\n", "\n# "))


def run(*args):
    return subprocess.run([VITRINE, *args], capture_output=True, text=True, timeout=120)


def write_interactions(path, users=200, items=60, seed=7):
    """Two taste clusters, so that there is something to find."""
    chance = random.Random(seed)
    with open(path, "w") as out:
        for user in range(users):
            half = items // 2
            liked = [item + half * (user % 2) for item in chance.sample(range(half), 12)]
            out.write(" ".join(str(number) for number in [user, *liked]) + "\n")


def array_hashes(data, version):
    folder = os.path.join(data, "bundles", version)
    return {name: hashlib.sha256(open(os.path.join(folder, name), "rb").read()).hexdigest()
            for name in sorted(os.listdir(folder)) if name.endswith(".arr")}


def current(data):
    with open(os.path.join(data, "bundles", "CURRENT")) as pointer:
        return pointer.read().strip()


def npy_shape(path):
    with open(path, "rb") as file:
        magic, major, minor, length = struct.unpack("<6sBBH", file.read(10))
        assert magic == b"\x93NUMPY" and (major, minor) == (1, 0) and (10 + length) % 64 == 0
        header = eval(file.read(length).decode("latin1"), {"__builtins__": {}})
        return header["shape"], len(file.read()), header["descr"]


def main():
    with tempfile.TemporaryDirectory() as folder:
        data, file = os.path.join(folder, "data"), os.path.join(folder, "train.txt")
        write_interactions(file)
        train = ["train", "--data", data, "--train", file, "--set", "factors=16", "--json"]

        first = run(*train, "--threads", "1")
        check(first.returncode == 0, "train makes a model", first.stderr)
        v1 = json.loads(first.stdout)
        check(v1["published"] and current(data) == v1["version"], "and puts it into service")
        check("memory" in first.stderr, "memory is told beforehand", first.stderr)
        check(v1["metrics"]["recall"] > v1["metrics"]["popularity_recall"],
              "the model beats popularity", v1["metrics"])

        second = run(*train, "--threads", "2")
        check(second.returncode == 0, "train again, with two threads", second.stderr)
        v2 = json.loads(second.stdout)
        check(v2["parent"] == v1["version"], "the parent is the version that served")
        check(array_hashes(data, v1["version"]) == array_hashes(data, v2["version"]),
              "same bytes for one thread and two")

        listed = json.loads(run("models", "list", "--data", data, "--json").stdout)
        check([version["version"] for version in listed["versions"]]
              == [v2["version"], v1["version"]], "models list: newest first", listed)
        check([version["active"] for version in listed["versions"]] == [True, False],
              "and which one is active", listed)
        check(run("models", "verify", v2["version"], "--data", data).returncode == 0,
              "a whole version verifies")

        back = run("models", "rollback", "--data", data)
        check(back.returncode == 0 and current(data) == v1["version"], "rollback", back.stderr)

        with open(os.path.join(data, "bundles", v2["version"], "gram.arr"), "r+b") as array:
            array.seek(100)
            byte = array.read(1)
            array.seek(100)
            array.write(bytes([byte[0] ^ 1]))
        refused = run("models", "activate", v2["version"], "--data", data)
        check(refused.returncode == 1 and "gram.arr" in refused.stderr
              and "sha256" in refused.stderr, "a flipped bit is refused, with file and reason",
              refused.stderr)
        check(current(data) == v1["version"], "and the old version stays in service")

        out = os.path.join(folder, "npy")
        exported = run("models", "export", v1["version"], "--data", data, "--out", out)
        check(exported.returncode == 0, "export", exported.stderr)
        check(npy_shape(os.path.join(out, "item_factors.npy")) == ((60, 16), 60 * 16 * 4, "<f4"),
              "factors are a numpy file without padding")

        for name, text in (("one customer", "1 2 3 4\n"), ("one item", "1 9\n2 9\n")):
            with open(file, "w") as small:
                small.write(text)
            few = run(*train)
            check(few.returncode == 1 and "too little" in few.stderr, f"{name}: a clear message",
                  few.stderr)
        check(current(data) == v1["version"], "and the old version stays in service")

        write_interactions(file, items=30)
        lost = run(*train)
        check(lost.returncode == 1 and "items" in lost.stderr, "the gate refuses lost coverage",
              lost.stderr)
        wrong = run("train", "--data", data, "--train", file, "--set", "factor=3")
        check(wrong.returncode == 2 and "factors" in wrong.stderr,
              "a wrong setting names the right one", wrong.stderr)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
