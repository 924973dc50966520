#!/usr/bin/env python3
"""The table of all families, for docs/models.md: quality and seconds by `vitrine evaluate` on one
split, each with its defaults.

    cmake --preset release && ninja -C build/release
    VITRINE_BIN=build/release/bin tests/perf/families.py --train train.txt [--test test.txt]
        [--families ials ease "ials solver=cholesky factors=128"] [--threads 2]

A family may be followed by its settings. Without --test a tenth of the train file is held out
(--protocol random): what parameters are chosen by. Prints a table in Markdown. `core s` is the
processor time of the whole run, both rankings with it: it says most on a machine that is busy.
Nothing is asserted.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import sys

FAMILIES = ["popularity", "itemcf", "usercf", "ials", "ials solver=cholesky factors=128", "ease",
            "graph", "sharpened", "autoencoder", "boosted", "blend", "auto"]
COLUMNS = ["family", "recall", "ndcg", "served recall", "served ndcg", "coverage", "diversity",
           "novelty", "train s", "core s", "MiB"]


def core_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(binary, options, family):
    name, *settings = family.split()
    command = [binary, "evaluate", "--train", options.train, "--threads", str(options.threads),
               "--algorithm", name, "--json"]
    command += ["--test", options.test] if options.test else ["--protocol", "random"]
    for setting in settings:
        command += ["--set", setting]
    before = core_seconds()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout) | {"core_s": core_seconds() - before}


def row(family, said):
    quality = [f"{said[key]:.4f}" for key in ("recall", "ndcg", "served_recall", "served_ndcg")]
    rest = [f"{said['coverage']:.3f}", f"{said['diversity']:.3f}", f"{said['novelty']:.2f}",
            f"{said['train_s']:.1f}", f"{said['core_s']:.1f}", f"{said['peak_mib']:.0f}"]
    return [f"`{family}`", *quality, *rest]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--test")
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    binary = pathlib.Path(os.environ.get("VITRINE_BIN", "build/release/bin")) / "vitrine"
    print("| " + " | ".join(COLUMNS) + " |\n|" + "---|" * len(COLUMNS), flush=True)
    failed = 0
    for family in options.families:
        said = measure(binary, options, family)
        failed += said is None
        if said is not None:
            print("| " + " | ".join(row(family, said)) + " |", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
