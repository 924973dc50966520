#!/usr/bin/env python3
"""vitrine import on real data sets (skipped where they are absent) and on generated data."""

import json
import os
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
VITRINE = pathlib.Path(os.environ.get("VITRINE_BIN", ROOT / "build" / "release" / "bin")) / "vitrine"
SHARED = ROOT.parent / "shared" / "data"
count = 0
failed = 0


def result(name, ok, detail=""):
    global count, failed
    count += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {name}")
    if not ok:
        print("# " + str(detail).replace("\n", "\n# "))


def skip(name, why):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {why}")


def import_json(*arguments):
    done = subprocess.run([VITRINE, "import", "--json", *map(str, arguments)],
                          capture_output=True, text=True, timeout=300)
    return done, json.loads(done.stdout) if done.returncode == 0 else None


def adds_up(rows):
    return rows["read"] == sum(rows[key] for key in
                               ("accepted", "duplicates", "review", "rejected", "dropped"))


def changed(store):
    return sum(store[key] for key in ("events_written", "items_inserted", "items_updated",
                                      "customers_inserted", "customers_updated"))


def twice(name, files, golden=None):
    """Imports into a new folder, twice: the first must add up, the second must change nothing."""
    if not all(path.exists() for path in files):
        skip(f"{name}: import", "data set not here")
        return
    with tempfile.TemporaryDirectory() as folder:
        first, report = import_json("--data", folder, *files)
        result(f"{name}: imports", first.returncode == 0, first.stderr)
        if report is None:
            return
        result(f"{name}: every row is counted once", adds_up(report["rows"]), report["rows"])
        result(f"{name}: the store took every accepted event",
               report["store"]["events_written"] == report["accepted"]["event"], report["store"])
        for key, value in (golden or {}).items():
            rules = {rule["rule"]: rule["count"] for rule in report["rules"]}
            seen = report["rows"].get(key, rules.get(key))
            result(f"{name}: {key} is {value}", seen == value, seen)
        second, again = import_json("--data", folder, *files)
        result(f"{name}: a second import changes nothing",
               second.returncode == 0 and changed(again["store"]) == 0, again and again["store"])


def rules_are_documented():
    named = set(re.findall(r'\{\s*"(\w+)",\s*VT_', (ROOT / "services/ingest/rules.c").read_text()))
    told = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/data-quality.md").read_text(), re.M))
    result("every rule stands in docs/data-quality.md", named == told and len(named) > 40,
           sorted(named ^ told))


def generated_shop():
    with tempfile.TemporaryDirectory() as folder:
        shop = pathlib.Path(folder) / "shop"
        subprocess.run([VITRINE, "demo-data", "--out", shop, "--customers", "300", "--items", "200",
                        "--days", "20"], check=True, capture_output=True)
        twice("demo-data", [shop])
        page = pathlib.Path(folder) / "report.html"
        done, report = import_json("--dry-run", "--report", page, shop)
        html = page.read_text()
        result("the page is self-contained", "<svg" in html and "http" not in html.split("</head>")[0])
        result("a dry run writes nothing", report is not None and not report["written"], done.stderr)


def cut_archive():
    source = SHARED / "online-retail" / "online_retail.csv.xz"
    if not source.exists():
        skip("a cut archive", "data set not here")
        return
    with tempfile.TemporaryDirectory() as folder:
        cut = pathlib.Path(folder) / "cut.csv.xz"
        cut.write_bytes(source.read_bytes()[:1_000_000])
        done, _ = import_json("--data", pathlib.Path(folder) / "data", cut)
        result("a cut archive fails and says after which line",
               done.returncode == 1 and re.search(r"after line \d+", done.stderr), done.stderr)


def wrong_usage():
    for name, arguments, status in (
            ("no --data is wrong usage", ["x.csv"], 2),
            ("an unknown format is wrong usage", ["--dry-run", "--format", "xml", "x.csv"], 2),
            ("a missing file fails", ["--dry-run", "/nowhere/x.csv"], 1)):
        done, _ = import_json(*arguments)
        result(name, done.returncode == status and done.stderr, done)


rules_are_documented()
generated_shop()
twice("online-retail", [SHARED / "online-retail" / "online_retail.csv.xz"],
      {"read": 541909, "rejected": 0, "exact_duplicate": 5268, "guest_customer": 135080,
       "accepted": 522256})
twice("movielens", [SHARED / "movielens-100k"], {"read": 102625, "review": 0})
twice("adjacency", [SHARED / "movielens-1m-split" / "test.txt"], {"read": 99455})
cut_archive()
wrong_usage()
print(f"1..{count}")
raise SystemExit(1 if failed else 0)
