#!/usr/bin/env python3
"""deploy/up.sh and down.sh with plain processes, as a new user runs them."""

import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from deployed import envoy_program  # noqa: E402
from vitrine import ROOT, Folder, Suite, bin_dir, run  # noqa: E402

suite = Suite("deploy/up")
folder = Folder()
CELL = folder / "cell"
DATA = folder / "data"
NAMES = {"profile", "candidate", "ranking-1", "ranking-2", "training", "gateway", "prometheus"}


def script(name, *args, status=0):
    done = subprocess.run([ROOT / "deploy" / name, "--folder", CELL, *map(str, args)],
                          capture_output=True, text=True, timeout=300,
                          env={**os.environ, "VITRINE_BIN": str(bin_dir())})
    assert done.returncode == status, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def up(*more):
    envoy_program()
    if not DATA.exists():
        run("demo-data", "--out", folder / "shop", "--customers", 300, "--items", 200, "--days", 30)
        run("import", "--data", DATA, *sorted((folder / "shop").glob("*.jsonl")))
        run("train", "--data", DATA, "--algorithm", "ials", "--set", "iterations=2")
    said = script("up.sh", "--processes", "--free-ports", "--data", DATA, *more)
    return said, json.loads((CELL / "cell.json").read_text())


def is_running(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def curl(cell, path, *args):
    return subprocess.run(["curl", "-s", "--cacert", cell["ca"], cell["gateway"] + path,
                           "-H", f"x-api-key: {cell['keys']['storefront']}", *args],
                          capture_output=True, text=True, timeout=30, check=True).stdout


@suite.test
def a_cell_comes_up_and_its_curl_works():
    said, cell = up("--otlp", "127.0.0.1:9", "--trace-sample", "0.5")
    assert '{"items":[' in said, said[-2000:]
    assert set(cell["processes"]) == NAMES, cell
    assert all(is_running(pid) for pid in cell["processes"].values()), cell
    assert "paths" in json.loads(curl(cell, "/openapi.json"))


@suite.test
def every_process_is_told_where_traces_go():
    cell = json.loads((CELL / "cell.json").read_text())
    for name in ("profile", "candidate", "ranking-1", "ranking-2"):
        arguments = pathlib.Path(f"/proc/{cell['processes'][name]}/cmdline").read_text()
        told = ["--otlp", "127.0.0.1:9", "--trace-sample", "0.5"]
        assert "\0".join(told) in arguments, arguments
    assert "service_name: vitrine-gateway" in (CELL / "gateway/out/envoy.yaml").read_text()


@suite.test
def secrets_are_for_the_owner_only():
    for name in ("keys.txt", "cell.json", "certs/server.key", "gateway/out/envoy.yaml"):
        assert (CELL / name).stat().st_mode & 0o077 == 0, name


@suite.test
def prometheus_sees_every_process():
    cell = json.loads((CELL / "cell.json").read_text())
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with urllib.request.urlopen(cell["prometheus"] + "/api/v1/targets", timeout=10) as answer:
            targets = json.load(answer)["data"]["activeTargets"]
        if len(targets) == 5 and all(target["health"] == "up" for target in targets):
            return
        time.sleep(0.2)
    raise AssertionError(targets)


@suite.test
def run_again_it_starts_anew_with_the_same_keys():
    before = json.loads((CELL / "cell.json").read_text())
    _, after = up()
    assert before["keys"] == after["keys"]
    assert not any(is_running(pid) for pid in before["processes"].values()), before
    assert '{"items":[' in curl(after, "/v1/recommend", "-d", '{"customerId":"C000001","n":1}',
                                "-H", "content-type: application/json")


@suite.test
def down_leaves_nothing_but_the_data_it_was_given():
    cell = json.loads((CELL / "cell.json").read_text())
    script("down.sh")
    assert not any(is_running(pid) for pid in cell["processes"].values()), cell
    assert (DATA / "bundles").exists()
    assert not CELL.exists()
    assert "there is no" in script("down.sh")


@suite.test
def down_touches_no_folder_that_up_did_not_make():
    CELL.mkdir()
    (CELL / "data").mkdir()
    assert "is not a folder of up.sh" in script("down.sh", status=1)
    assert (CELL / "data").exists()


suite.run()
