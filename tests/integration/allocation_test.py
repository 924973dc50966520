#!/usr/bin/env python3
"""The hot path allocates nothing of its own, counted in a real server, by place, under load.

Two runs differ only in how many calls they answer; a place that allocates more in the longer one, by
at least every tenth call, allocates for calls. What libraries allocate is reported, not judged.
"""
import collections
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Skip, Suite, run  # noqa: E402

COUNTER = pathlib.Path(VITRINE).resolve().parents[1] / "tests" / "libvt_count_allocations.so"
LOAD = pathlib.Path(VITRINE).with_name("vitrine-load")
# The value of a merge is RocksDB's to free, so whoever folds one has to get it from malloc.
ALLOWED = ("pack_exactly",)
suite = Suite("allocation")
folder = Folder()
DATA = folder / "data"
RATE = 150


def counted(scenario, seconds):
    """Answers calls for so long; (calls answered, {(file, offset): allocations})."""
    out = folder / f"{scenario}-{seconds}.txt"
    # Every call is traced, to nobody: the record and its way are on the hot path.
    capped = folder / "placements.yaml"  # the demo's customers have impressions: they are counted
    capped.write_text("placements: {default: {shown: {at-most: 3, within: 365d}}}\n")
    server = Server(DATA, "--threads", "1", "--placements", capped, "--otlp", "127.0.0.1:9", "--trace-sample", "1",
                    environment={"LD_PRELOAD": str(COUNTER), "VITRINE_COUNT_ALLOCATIONS": str(out)})
    with server:
        done = subprocess.run(
            [str(LOAD), scenario, "--target", server.target, "--rate", str(RATE), "--duration",
             f"{seconds}s", "--connections", "2", "--customers", "300", "--json"],
            capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    places = {}
    for line in out.read_text().splitlines():
        count, file, offset = line.split()
        places[pathlib.Path(file).name, offset] = int(count)
    return json.loads(done.stdout)["ok"], places


def name_of(offset):
    found = subprocess.run(["addr2line", "-f", "-e", VITRINE, offset], capture_output=True, text=True)
    return " ".join(found.stdout.split())


def allocations_of(scenario):
    short, before = counted(scenario, 1)
    long, after = counted(scenario, 5)
    calls = long - short
    assert calls > 2 * RATE, (short, long)
    libraries, ours = collections.Counter(), []
    for (file, offset), count in after.items():
        each = (count - before.get((file, offset), 0)) / calls
        if file == pathlib.Path(VITRINE).name and each > 0.1:
            name = name_of(offset)
            if name.split()[0] not in ALLOWED:
                ours.append(f"{each:.2f} a call by {name}")
        elif file != pathlib.Path(VITRINE).name:
            libraries[file] += each
    told = ", ".join(f"{file} {each:.1f}" for file, each in libraries.most_common(6) if each > 0.1)
    print(f"# {scenario}: a call of libraries': {told}")
    return ours


@suite.test
def demo_data_imports_and_trains():
    if not COUNTER.exists():
        raise Skip("the counter was not built")
    shop = folder / "shop"
    run("demo-data", "--out", shop, "--customers", "300", "--items", "200", "--days", "40")
    run("import", "--data", DATA, *(shop / name for name in (
        "items.jsonl", "customers.jsonl", "channels.jsonl", "events.jsonl")))
    run("train", "--data", DATA, "--algorithm", "blend")


@suite.test
def recommend_allocates_nothing_of_its_own():
    ours = allocations_of("recommend")
    assert not ours, "\n".join(ours)


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
