#!/usr/bin/env python3
"""The exact search beside faiss and hnswlib: the same items and queries, one thread, one at a time.

    cmake --preset release && ninja -C build/release
    VITRINE_BIN=build/release/bin tests/perf/retrieval_vs_faiss.py [--items X.npy --queries Q.npy]

Installs faiss-cpu and hnswlib from PyPI into a virtual environment (kept in --venv), and skips with a
line when it is away. Without --items it trains iALS (d=64) on MovieLens-1M when ../shared/data has it,
else on a generated shop, exports the factors with `vitrine models export`, and folds histories of the
training file in as queries. --enlarge N ... makes each size from them: rows are drawn by turns, and
what is drawn a second time is moved by noise of --jitter times the row's own length (0.1), or, with
--resample, each number is drawn from a row of its own norm's neighbourhood, which leaves no copies.

Each round asks every index all queries once, by turns, so that whatever else the machine does meets
all alike. What counts is the median over rounds of a round's median time; `x flat` is faiss
IndexFlatIP's over it. Recall is against IndexFlatIP's answers, whose float sums can turn rows that are
equal to 6 digits; `exact` is ours against scoring every row by the defined score (vitrine-bench).
Nothing is asserted.
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
PACKAGES = ["faiss-cpu==1.15.1", "numpy==2.4.6"]
BUILT_HERE = ["hnswlib==0.8.0"]  # has no wheel: wants a C++ compiler
BIN = pathlib.Path(os.environ.get("VITRINE_BIN", HERE.parents[2] / "build/release/bin"))
RECALL_WANTED = 0.98
FILTERS = [0.01, 0.3, 0.9]
CHECKED_MANY, CHECKED_FEW, FEW_ITEMS = 50, 5, 200000  # queries held against every row's score
HNSW_M, HNSW_BUILD_EF = 32, 200
HNSW_EF = [100, 200, 400, 800, 1600]
IVF_SHARES = [0.02, 0.05, 0.1, 0.2, 0.4, 0.7]  # of the lists


# ---- the virtual environment; this file runs again inside it ----

def make_venv(path):
    python = path / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", path], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(pip + ["--only-binary", ":all:", *PACKAGES], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"skip: faiss cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        sys.exit(0)
    done = subprocess.run(pip + BUILT_HERE, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"without hnswlib: {done.stderr.strip().splitlines()[-1]}")
    return python


# ---- factors ----

def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          env=dict(os.environ, OPENBLAS_NUM_THREADS="1"))
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


def training_file(folder):
    real = HERE.parents[3] / "shared" / "data" / "movielens-1m-split" / "train.txt"
    if real.exists():
        return real
    path = folder / "generated.txt"
    run(BIN / "vitrine-bench", "interactions", "--out", path, "--users", "20000", "--items", "5000",
        "--interactions", "1000000")
    return path


def trained(options, folder):
    """Item factors, and queries: histories folded in by the same equations (models/factor)."""
    import numpy
    train, data, out = options.train or training_file(folder), folder / "data", folder / "factors"
    run(BIN / "vitrine", "import", "--data", data, "--format", "adjacency", train)
    run(BIN / "vitrine", "train", "--data", data, "--algorithm", "ials", "--set", "factors=64")
    listed = json.loads(run(BIN / "vitrine", "models", "list", "--data", data, "--json"))
    version = listed["versions"][0]["version"]
    run(BIN / "vitrine", "models", "export", version, "--data", data, "--out", out)
    factors = numpy.load(out / "item_factors.npy")
    row_of = {int(number): row for row, number in enumerate(numpy.load(out / "item_numbers.npy"))}
    histories = read_histories(train, row_of, options.n_queries)
    return factors, fold_in_all(numpy, factors, numpy.load(out / "gram.npy"), histories)


def read_histories(train, row_of, n_histories):
    """Rows of the newest 50 items of each line; an item's number counts first mentions."""
    number_of, histories = {}, []
    for line in open(train):
        numbers = [number_of.setdefault(item, len(number_of) + 1) for item in line.split()[1:]]
        rows = [row_of[number] for number in numbers if number in row_of][-50:]
        if rows and len(histories) < n_histories:
            histories.append(rows)
    return histories


def fold_in_all(numpy, factors, gram, histories):
    queries = []
    for rows in histories:
        y = factors[rows].astype(numpy.float64)
        equations = gram + y.T @ y + 0.01 * len(rows) * numpy.eye(len(gram))
        queries.append(numpy.linalg.solve(equations, y.sum(axis=0)))
    return numpy.array(queries, numpy.float32)


def enlarged(numpy, base, n, options):
    """`n` rows of the shape of `base`: copies with noise, or numbers mixed among rows of one norm."""
    if n <= len(base):
        return base[:n]
    random = numpy.random.default_rng(1)
    if options.resample:
        order = numpy.argsort(-numpy.linalg.norm(base, axis=1), kind="stable")
        place = numpy.arange(n) * len(base) // n
        near = numpy.clip(place[:, None] + random.integers(-64, 65, (n, base.shape[1])), 0,
                          len(base) - 1)
        rows = base[order[near], numpy.arange(base.shape[1])]
        return numpy.ascontiguousarray(rows[random.permutation(n)], numpy.float32)
    rows = base[numpy.arange(n) % len(base)].copy()
    again = rows[len(base):]
    noise = random.standard_normal(again.shape, numpy.float32) / numpy.sqrt(base.shape[1])
    again += noise * options.jitter * numpy.linalg.norm(again, axis=1, keepdims=True)
    return rows


# ---- the indexes: name → a function of one query ----

def flat_index(faiss, items):
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(items)
    return lambda query, k: index.search(query[None], k)[1][0]


def ivf_indexes(faiss, items):
    n_lists = int(4 * len(items) ** 0.5)
    coarse = faiss.IndexFlatIP(items.shape[1])
    index = faiss.IndexIVFFlat(coarse, items.shape[1], n_lists, faiss.METRIC_INNER_PRODUCT)
    index.train(items[:: max(1, len(items) // (50 * n_lists))])
    index.add(items)

    def asking(n_probe):
        parameters = faiss.SearchParametersIVF(nprobe=n_probe)
        return lambda query, k: index.search(query[None], k, params=parameters)[1][0]
    return {f"IVF{n_lists} nprobe {n}": asking(n)
            for n in sorted({max(1, int(share * n_lists)) for share in IVF_SHARES})}


def hnsw_indexes(items):
    try:
        import hnswlib
    except ImportError:
        return {}
    index = hnswlib.Index(space="ip", dim=items.shape[1])
    index.init_index(max_elements=len(items), ef_construction=HNSW_BUILD_EF, M=HNSW_M)
    index.add_items(items, num_threads=-1)

    def asking(ef):
        def ask(query, k):
            index.set_ef(ef)
            return index.knn_query(query[None], k=k, num_threads=1)[0][0]
        return ask
    return {f"hnswlib M {HNSW_M} ef {ef}": asking(ef) for ef in HNSW_EF}


def ask_all(ask, queries, k):
    """Median microseconds, and the answers."""
    times, answers = [], []
    for query in queries:
        began = time.perf_counter()
        answers.append(ask(query, k))
        times.append(time.perf_counter() - began)
    return 1e6 * statistics.median(times), answers


def recall_of(answers, truth):
    hits = sum(len(set(map(int, got)) & set(map(int, want))) for got, want in zip(answers, truth))
    return hits / sum(map(len, truth))


# ---- ours ----

def ours(paths, options, n_items, *more):
    paths["out"].unlink(missing_ok=True)
    checked = CHECKED_MANY if n_items <= FEW_ITEMS else CHECKED_FEW
    return json.loads(run(BIN / "vitrine-bench", "retrieval", "--items", paths["items"], "--queries",
                          paths["queries"], "--k", options.k, "--out", paths["out"], "--repeat", "3",
                          "--check", str(checked), *more, "--json"))


def measure(numpy, items, queries, options, folder):
    import faiss
    faiss.omp_set_num_threads(1)
    paths = {name: folder / f"{name}.npy" for name in ("items", "queries", "out")}
    numpy.save(paths["items"], items)
    numpy.save(paths["queries"], queries)
    indexes = {"faiss IndexFlatIP": flat_index(faiss, items)}
    if not options.flat_only:
        indexes.update(ivf_indexes(faiss, items))
        indexes.update(hnsw_indexes(items))
    truth = ask_all(indexes["faiss IndexFlatIP"], queries, options.k)[1]
    recalls = {name: recall_of(ask_all(ask, queries, options.k)[1], truth)
               for name, ask in indexes.items()}
    kept = {name: ask for name, ask in indexes.items() if recalls[name] >= RECALL_WANTED}
    times, last = {}, {}
    for _ in range(options.rounds):
        for name, ask in kept.items():
            times.setdefault(name, []).append(ask_all(ask, queries, options.k)[0])
        for share in [1] + FILTERS:
            name = "vitrine" if share == 1 else f"vitrine, filter keeps {share:.0%}"
            last[name] = ours(paths, options, len(items), "--filter", str(share))
            times.setdefault(name, []).append(last[name]["p50_us"])
            if share == 1:
                recalls[name] = recall_of(numpy.load(paths["out"]), truth)
    tell(items, times, recalls, last)
    return statistics.median(times["vitrine"])


def tell(items, times, recalls, last):
    medians = {name: statistics.median(list_) for name, list_ in times.items()}
    flat, plain = medians["faiss IndexFlatIP"], medians["vitrine"]
    index_bytes = last["vitrine"]["bytes_per_item"] / items.shape[1]
    print(f"\n{len(items):,} items, d={items.shape[1]}: exact {last['vitrine']['recall']:.6f}, "
          f"{last['vitrine']['variant']}, {index_bytes:.2f} bytes of index per int8 byte, scanned "
          f"{last['vitrine']['scanned_fraction']:.3f}, scored {last['vitrine']['scored_fraction']:.5f}")
    print(f"  {'':34} {'µs':>8} {'x flat':>8} {'/ ours':>8} {'recall':>8}")
    for name, median in medians.items():
        recall = f"{recalls[name]:8.4f}" if name in recalls else ""
        print(f"  {name:34} {median:8.1f} {flat / median:8.1f} {median / plain:8.2f} {recall}",
              flush=True)
    for name, recall in recalls.items():
        if recall < RECALL_WANTED:
            print(f"  {name:34} {'':26} {recall:8.4f}: too low to be timed")


def compare(options):
    import numpy
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if options.items:
            base, queries = numpy.load(options.items), numpy.load(options.queries)
        else:
            base, queries = trained(options, folder)
        queries = numpy.ascontiguousarray(queries[:options.n_queries], numpy.float32)
        took = {}
        for n in options.enlarge or [len(base)]:
            items = numpy.ascontiguousarray(enlarged(numpy, base, n, options), numpy.float32)
            took[n] = measure(numpy, items, queries, options, folder)
        for n in list(took)[1:]:
            print(f"{n:,} items take {took[n] / took[min(took)]:.2f} times what {min(took):,} take")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=pathlib.Path, help="item factors, .npy, float32")
    parser.add_argument("--queries", type=pathlib.Path, help="query vectors, .npy, float32")
    parser.add_argument("--train", type=pathlib.Path, help="adjacency file to train on instead")
    parser.add_argument("--enlarge", type=int, nargs="+", help="numbers of items, ascending")
    parser.add_argument("--jitter", type=float, default=0.1)
    parser.add_argument("--resample", action="store_true", help="mix rows of one norm, no copies")
    parser.add_argument("--flat-only", action="store_true", help="neither IVF nor HNSW is built")
    parser.add_argument("--k", type=int, default=100)
    parser.add_argument("--n-queries", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--venv", type=pathlib.Path,
                        default=pathlib.Path(tempfile.gettempdir()) / "vitrine-faiss-venv")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return compare(options)
    if bool(options.items) != bool(options.queries):
        parser.error("--items and --queries go together")
    python = make_venv(options.venv)
    os.execve(python, [str(python), str(HERE), "--inside", *sys.argv[1:]],
              dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"))


if __name__ == "__main__":
    main()
