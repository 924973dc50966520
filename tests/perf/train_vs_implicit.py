#!/usr/bin/env python3
"""Training of iALS beside the `implicit` library: the same data, dimensions and threads, by turns.

    cmake --preset release && ninja -C build/release
    VITRINE_BIN=build/release/bin tests/perf/train_vs_implicit.py [--factors 64 128] [--threads 2]

Makes a virtual environment (kept in --venv, so that the next run is quick), installs pinned versions
of implicit and scipy from PyPI, and skips with a line when it is away. One thread of BLAS each. Each
round runs implicit's CG, implicit's Cholesky and each of our solvers once, so that whatever else the
machine does meets all alike; of each, the median second of an iteration over all rounds counts.
Also: seconds until ndcg@20 on the test file is what implicit's CG ends with after its 15 iterations,
and peak memory of the training processes. implicit's alpha and regularization were chosen on a part
split off the train file (ndcg .1998 there, beside .1794 with its defaults). Nothing is asserted.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve()
PACKAGES = ["implicit==0.7.3", "scipy==1.17.1", "numpy==2.4.6", "threadpoolctl==3.8.0"]
ALPHA, REGULARIZATION = 5.6, 30
ITERATIONS = 15  # implicit's default
K = 20
SOLVERS = ["cg", "cholesky", "subspace"]


# ---- the side of implicit: this file again, inside the virtual environment ----

def read_adjacency(path):
    rows, columns = [], []
    for line in open(path):
        first, *rest = map(int, line.split())
        rows += [first] * len(rest)
        columns += rest
    return rows, columns


def ndcg(model, train, test):
    """models/eval/eval.h: full ranking without the train items, mean over users with test items."""
    import numpy
    gains = 1 / numpy.log2(numpy.arange(2, K + 2))
    total, n_users = 0.0, 0
    for first in range(0, train.shape[0], 256):
        rows = slice(first, first + 256)
        scores = model.user_factors[rows] @ model.item_factors.T
        scores[train[rows].nonzero()] = -numpy.inf
        lists = numpy.argsort(-scores, axis=1, kind="stable")[:, :K]
        wanted = test[rows].toarray() > 0
        n_wanted = wanted.sum(axis=1)
        hits = numpy.take_along_axis(wanted, lists, axis=1) @ gains
        ideal = numpy.cumsum(gains)[numpy.clip(n_wanted, 1, K) - 1]
        total += (hits / ideal)[n_wanted > 0].sum()
        n_users += (n_wanted > 0).sum()
    return total / n_users


def child(options):
    import resource

    import implicit
    import numpy
    import scipy.sparse
    import threadpoolctl
    threadpoolctl.threadpool_limits(1, "blas")
    parts = [read_adjacency(path) for path in [options.train, options.test] if path]
    shape = [1 + max(max(part[axis]) for part in parts) for axis in (0, 1)]
    matrices = [scipy.sparse.csr_matrix((numpy.ones(len(rows), numpy.float32), (rows, columns)),
                                        shape=shape) for rows, columns in parts]
    del parts
    read_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    model = implicit.als.AlternatingLeastSquares(
        factors=options.factors[0], iterations=options.iterations, alpha=ALPHA,
        regularization=REGULARIZATION, use_cg=options.child == "cg", use_gpu=False,
        num_threads=options.threads, random_state=1)
    seconds = []
    model.fit(matrices[0], show_progress=False,
              callback=lambda iteration, elapsed, loss=None: seconds.append(elapsed))
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    quality = ndcg(model, *matrices) if options.test else None
    print(json.dumps({"iteration_s": seconds, "read_kib": read_kib, "peak_kib": peak_kib,
                      "ndcg": quality}))


# ---- the comparison ----

def make_venv(path):
    python = path / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", path], check=True)
    done = subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                           *PACKAGES], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"skip: implicit cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        sys.exit(0)
    return str(python)


def run_json(command):
    environment = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="")
    del environment["OMP_NUM_THREADS"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    return json.loads(done.stdout)


class Comparison:
    def __init__(self, options, python, folder):
        self.options, self.python = options, python
        self.bin = pathlib.Path(os.environ.get("VITRINE_BIN", "build/release/bin"))
        self.train, self.test = self.find_data(folder)

    def find_data(self, folder):
        real = HERE.parents[3] / "shared" / "data" / "movielens-1m-split"
        if self.options.train:
            return self.options.train, self.options.test
        if real.exists():
            return real / "train.txt", real / "test.txt"
        path = folder / "generated.txt"
        subprocess.run([self.bin / "vitrine-bench", "interactions", "--out", path, "--users", "20000",
                        "--items", "5000", "--interactions", "1000000"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return path, None

    def implicit(self, solver, factors, iterations, with_test=False):
        command = [self.python, HERE, "--child", solver, "--train", self.train, "--factors",
                   str(factors), "--threads", str(self.options.threads), "--iterations",
                   str(iterations)]
        return run_json(command + (["--test", self.test] if with_test else []))

    def ours(self, solver, factors, iterations):
        return run_json([self.bin / "vitrine-bench", "ials", "--train", self.train, "--threads",
                         str(self.options.threads), "--set", f"solver={solver}", "--set",
                         f"factors={factors}", "--set", f"iterations={iterations}"])

    def evaluate(self, factors, iterations, solver):
        return run_json([self.bin / "vitrine", "evaluate", "--train", self.train, "--test", self.test,
                         "--threads", str(self.options.threads), "--set", f"factors={factors}",
                         "--set", f"iterations={iterations}", "--set", f"solver={solver}", "--json"])

    def iterations(self, factors):
        """Seconds of an iteration, of all rounds, by turns."""
        seconds, peaks = {}, {}
        runs = [(f"implicit {name}", lambda name=name: self.implicit(
            name, factors, self.options.iterations)) for name in ("cg", "cholesky")]
        runs += [(f"vitrine {name}", lambda name=name: self.ours(
            name, factors, self.options.iterations)) for name in SOLVERS]
        for _ in range(self.options.rounds):
            for name, run in runs:
                result = run()
                # The first iteration begins from nothing, and meets cold memory.
                seconds.setdefault(name, []).extend(result["iteration_s"][1:])
                peaks[name] = max(peaks.get(name, 0), result["peak_kib"])
        return {name: statistics.median(list_) for name, list_ in seconds.items()}, peaks

    def tell_iterations(self, factors):
        seconds, peaks = self.iterations(factors)
        cg, cholesky = seconds["implicit cg"], seconds["implicit cholesky"]
        print(f"\nd={factors}, {self.options.threads} threads       s/iteration   implicit cg /"
              f"   implicit cholesky /   peak MiB")
        for name, second in seconds.items():
            print(f"  {name:20} {second:12.4f} {cg / second:15.2f} {cholesky / second:18.2f}"
                  f" {peaks[name] / 1024:16.0f}", flush=True)

    def tell_time_to_quality(self, factors):
        theirs = self.implicit("cg", factors, ITERATIONS, with_test=True)
        their_s = sum(theirs["iteration_s"])
        for iterations in range(1, 2 * ITERATIONS):
            ours = self.evaluate(factors, iterations, "cg")
            if ours["ndcg"] >= theirs["ndcg"]:
                break
        our_s = sum(ours["iteration_s"])
        print(f"  implicit's ndcg {theirs['ndcg']:.4f} after {ITERATIONS} iterations in {their_s:.2f} s; "
              f"ours {ours['ndcg']:.4f} after {iterations} in {our_s:.2f} s: {our_s / their_s:.3f}",
              flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--factors", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5, help="of a run that is timed")
    parser.add_argument("--train", type=pathlib.Path, help="adjacency file instead of the usual data")
    parser.add_argument("--test", type=pathlib.Path)
    parser.add_argument("--venv", type=pathlib.Path,
                        default=pathlib.Path(tempfile.gettempdir()) / "vitrine-implicit-venv")
    parser.add_argument("--child", choices=["cg", "cholesky"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options)
    python = make_venv(options.venv)
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(options, python, pathlib.Path(folder))
        print(f"{comparison.train}, {time.strftime('%Y-%m-%d %H:%M')}, load "
              f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
        for factors in options.factors:
            comparison.tell_iterations(factors)
            if comparison.test:
                comparison.tell_time_to_quality(factors)
    return 0


if __name__ == "__main__":
    sys.exit(main())
