#!/usr/bin/env python3
"""Models to and from notebooks: reports, export as numpy and scipy read it, import of factors.

What needs numpy and scipy runs in a venv and is skipped when the package registry is away.
"""
import json
import pathlib
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from tools import venv_scipy  # noqa: E402
from vitrine import Folder, Server, Suite, run, run_json  # noqa: E402

suite = Suite("notebook")
folder = Folder()
DATA = folder / "data"

READ = """
import json, sys, numpy, scipy.sparse
out = sys.argv[1] + "/"
factors, gram = numpy.load(out + "item_factors.npy"), numpy.load(out + "gram.npy")
near = scipy.sparse.load_npz(out + "neighbors.npz")
manifest = json.load(open(out + "manifest.json"))
ours = manifest["unobserved_weight"] * factors.T.astype(float) @ factors.astype(float)
assert numpy.allclose(ours, gram, rtol=1e-5), abs(ours - gram).max()
assert near.shape == (len(factors), len(factors)) and near.nnz > 0
near.check_format(full_check=True)
assert abs(near - near.T).max() <= 1 and near.diagonal().max() == 0
numpy.save(out + "fortran64.npy", numpy.asfortranarray(factors.astype("<f8")))
bad = factors.copy(); bad[3, 2] = numpy.nan
numpy.save(out + "nan.npy", bad)
numpy.save(out + "short.npy", factors[:-1])
print(json.dumps({"items": len(factors), "dim": factors.shape[1], "type": str(factors.dtype)}))
"""


def trained():
    """The version that serves; made at the first call."""
    if not DATA.exists():
        run("demo-data", "--out", folder / "demo", "--customers", "600", "--items", "200")
        run("import", "--data", DATA, *sorted((folder / "demo").glob("*.jsonl")))
        run("train", "--data", DATA, "--set", "factors=16")
    return run_json("models", "list", "--data", DATA)["current"]


def exported():
    version, out = trained(), folder / "export"
    if not out.exists():
        run("models", "export", version, "--data", DATA, "--out", out)
    return out


def fold_in_options(out):
    manifest = json.loads((out / "manifest.json").read_text())
    return ["--regularization", manifest["regularization"],
            "--regularization-exponent", manifest["regularization_exponent"],
            "--unobserved-weight", manifest["unobserved_weight"]]


def import_factors(factors, items, *more, status=0):
    return run("models", "import", "--data", DATA, "--item-factors", factors, "--items", items,
               *more, status=status)


def npy(path, rows, columns, values):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
                     + struct.pack(f"<{len(values)}f", *values))
    return path


@suite.test
def a_version_has_its_page():
    version = trained()
    page = (DATA / "bundles" / version / "report.html").read_text()
    run("models", "report", version, "--data", DATA, "--out", folder / "page.html")
    assert (folder / "page.html").read_text() == page
    assert run("models", "report", version, "--data", DATA).stdout == page
    for section in ("Recall by customer", "What is favoured", "What some customers would see",
                    "Loss", "Parameters", "Events by type"):
        assert section in page, section
    assert "<script" not in page and "http" not in page
    titles = [json.loads(line)["title"] for line in (folder / "demo" / "items.jsonl").open()]
    assert sum(f"<li>{title}</li>" in page for title in titles) >= 8
    customers = [json.loads(line)["id"] for line in (folder / "demo" / "customers.jsonl").open()]
    assert not any(f">{customer}<" in page for customer in customers)
    metrics = run_json("models", "show", version, "--data", DATA)["metrics"]
    assert metrics["recall_low"] <= metrics["recall"] <= metrics["recall_high"]
    assert metrics["ndcg_low"] < metrics["ndcg_high"]


@suite.test
def a_changed_page_is_damage():
    version = trained()
    path = DATA / "bundles" / version / "report.html"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"Parameters", b"parameters", 1))
    assert "report.html" in run("models", "verify", version, "--data", DATA, status=1).stderr
    path.write_bytes(whole)
    run("models", "verify", version, "--data", DATA)


@suite.test
def numpy_and_scipy_read_what_is_exported():
    out = exported()
    done = subprocess.run([venv_scipy(), "-c", READ, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    assert read["dim"] == 16 and read["type"] == "float32", read
    assert len((out / "items.txt").read_text().split("\n")) == read["items"] + 1
    assert "recall" in json.loads((out / "metrics.json").read_text())
    # What numpy made of it: the other order, the wider type, and two that cannot be taken.
    options = fold_in_options(out)
    version = json.loads(import_factors(out / "fortran64.npy", out / "items.txt", *options,
                                        "--json").stdout)["version"]
    again = folder / "again"
    run("models", "export", version, "--data", DATA, "--out", again)
    for name in ("item_factors.npy", "item_numbers.npy", "neighbors.npz", "popularity.npy"):
        assert (again / name).read_bytes() == (out / name).read_bytes(), name
    nan = import_factors(out / "nan.npy", out / "items.txt", status=1).stderr
    assert "row 3, column 2" in nan and "nan" in nan, nan
    short = import_factors(out / "short.npy", out / "items.txt", status=1).stderr
    assert "names" in short and "rows" in short, short


@suite.test
def imported_factors_give_the_same_recommendations():
    version, out = trained(), exported()
    customers = [json.loads(line)["id"]
                 for line in (folder / "demo" / "customers.jsonl").open()][:12]

    def asked():
        with Server(DATA) as server:
            return [[(item["id"], round(item["score"], 4)) for item in
                     server.ask("recommend", "--customer", customer, "-n", "10")["items"]]
                    for customer in customers]

    import_factors(out / "item_factors.npy", out / "items.txt", *fold_in_options(out))
    assert run_json("models", "list", "--data", DATA)["current"] == version, "not asked to serve"
    before = asked()
    import_factors(out / "item_factors.npy", out / "items.txt", *fold_in_options(out), "--activate")
    assert run_json("models", "list", "--data", DATA)["current"] != version
    after = asked()
    run("models", "activate", version, "--data", DATA)
    same = sum(len({i for i, _ in a} & {i for i, _ in b}) for a, b in zip(before, after))
    assert same >= 0.9 * sum(len(a) for a in before), (same, before[0], after[0])


@suite.test
def what_cannot_be_imported_is_refused_with_its_place():
    out = exported()
    skus = (out / "items.txt").read_text().split()
    before = run_json("models", "list", "--data", DATA)
    whole = (out / "item_factors.npy").read_bytes()

    def refused(factors, items, *reasons, options=()):
        (folder / "bad.txt").write_text("".join(f"{line}\n" for line in items))
        said = import_factors(factors, folder / "bad.txt", *options, status=1)
        assert said.stderr.count("\n") <= 2, said.stderr
        for reason in reasons:
            assert reason in said.stderr, (reason, said.stderr)

    (folder / "cut.npy").write_bytes(whole[:-5])
    refused(folder / "cut.npy", skus, "cut off", "cut.npy")
    (folder / "text.npy").write_text("no numbers here")
    refused(folder / "text.npy", skus, "not a numpy file")
    refused(folder / "missing.npy", skus, "missing.npy")
    three = npy(folder / "three.npy", 3, 2, [1, 2, 3, 4, 5, 6])
    refused(three, skus[:2], "2 items", "3 rows")
    refused(three, [skus[0], skus[1], skus[0]], "lines 1 and 3", "same item")
    refused(three, [skus[0], "no such SKU", skus[1]], "no such SKU", "line 2")
    refused(three, [skus[0], "", skus[1]], "line 2 is empty")
    refused(three, [skus[0], "#4000000", skus[1]], "line 2", "4000000")
    refused(npy(folder / "inf.npy", 3, 2, [1, 2, 3, 4, 5, float("inf")]), skus[:3],
            "row 2, column 1", "inf")
    refused(npy(folder / "wide.npy", 2, 1025, [0] * 2050), skus[:2], "at most 1024")
    refused(three, skus[:3], "regularization", options=("--regularization", "0"))
    assert run_json("models", "list", "--data", DATA) == before, "nothing was written"


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
