#!/usr/bin/env python3
"""A refresh with --warm beside one from nothing, of the same events over the same serving version.

    VITRINE_BIN=build/release/bin tests/perf/warm_refresh.py RETAIL.csv[.xz] [--days 14] [--rounds 3]

RETAIL has the columns of the Online Retail data set. All but its newest days are imported and
trained on; then the newest days come in, and each round trains once cold and once warm without
publishing, by turns, so that both have the same parent and hold out the same events. Prints seconds
(the median over the rounds, and their ratio), iterations, and ndcg and recall on what neither model
nor their parent had seen. Nothing is asserted.
"""

import argparse
import csv
import datetime
import json
import lzma
import pathlib
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, run, run_json  # noqa: E402


def day_of(row):
    text = row["InvoiceDate"].split()[0]
    for form in ("%Y-%m-%d", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y"):
        try:
            return datetime.datetime.strptime(text, form).date()
        except ValueError:
            continue
    raise SystemExit(f"no date: {text}")


def split(path, days, old, new):
    opened = lzma.open if path.endswith(".xz") else open
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    cut = max(map(day_of, rows)) - datetime.timedelta(days=days)
    for name, newer in ((old, False), (new, True)):
        with open(name, "w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, rows[0].keys())
            writer.writeheader()
            writer.writerows(row for row in rows if (day_of(row) > cut) == newer)


def refresh(data, *args):
    made = run_json("train", "--data", data, "--algorithm", "ials", "--no-publish", "--threads", "2",
                    *args)
    listed = run_json("models", "list", "--data", data)["versions"]
    mine = next(v for v in listed if v["version"] == made["version"])
    shutil.rmtree(data / "bundles" / made["version"])
    return {"seconds": made["train_s"], "iterations": int(mine["parameters"]["iterations"]),
            "ndcg": made["metrics"]["ndcg"], "recall": made["metrics"]["recall"],
            "customers": made["metrics"]["test_users"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("retail")
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[])
    asked = parser.parse_args()
    settings = [f"--set={one}" for one in asked.set]
    with Folder() as folder:
        data, old, new = folder / "data", folder / "old.csv", folder / "new.csv"
        split(asked.retail, asked.days, old, new)
        run("import", "--data", data, "--format", "online-retail", old, timeout=900)
        run("train", "--data", data, "--algorithm", "ials", "--threads", "2", *settings,
            timeout=900)
        run("import", "--data", data, "--format", "online-retail", new, timeout=900)
        cold, warm = [], []
        for _ in range(asked.rounds):
            cold.append(refresh(data, *settings))
            warm.append(refresh(data, "--warm", *settings))
    for name, runs in (("cold", cold), ("warm", warm)):
        seconds = statistics.median(one["seconds"] for one in runs)
        print(json.dumps({"start": name, **runs[0], "seconds": round(seconds, 2)}))
    ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in zip(cold, warm))
    print(f"warm is {ratio:.2f} times as fast (median of {asked.rounds} rounds)")


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failure:
        sys.exit(f"{VITRINE}: {failure.stderr}")
