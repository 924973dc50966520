#!/usr/bin/env python3
"""A model that chooses itself, from events to answers: what it settles on does not depend on threads,
stands in the manifest, and its mix orders what is recommended; and every family that serves can be
trained, published and asked."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, run, run_json  # noqa: E402

suite = Suite("auto")
folder = Folder()
DATA = folder / "data"
DEMO = folder / "demo"
SERVING = ("ials", "ease", "graph", "sharpened", "itemcf", "popularity", "blend", "auto")
MEMBERS = {"ials": "factor", "ease": "kernel", "graph": "kernel", "sharpened": "kernel",
           "itemcf": "neighbor", "popularity": "popular"}


def manifest(version):
    return json.loads((DATA / "bundles" / version / "manifest.json").read_text())


def arrays(version):
    files = manifest(version)["files"]
    return {name: digest for name, digest in files.items() if name.endswith(".arr")}


def train(*more):
    return run_json("train", "--data", DATA, "--no-gate", *more)["version"]


def some_customer():
    with open(DEMO / "events.jsonl", encoding="utf-8") as lines:
        return next(event["customer_id"] for event in map(json.loads, lines)
                    if event.get("customer_id") and event["type"] == "purchase")


@suite.test
def the_choice_is_the_same_for_any_thread_count_and_is_written_down():
    run("demo-data", "--out", DEMO, "--customers", "1500", "--items", "300", "--days", "30")
    run("import", "--data", DATA, DEMO / "items.jsonl", DEMO / "customers.jsonl",
        DEMO / "events.jsonl")
    one, two = train("--algorithm", "auto", "--threads", "1"), \
        train("--algorithm", "auto", "--threads", "2")
    assert arrays(one) == arrays(two)
    parameters = manifest(one)["parameters"]
    assert parameters["settled_on"] == "blend" and parameters["weights"] == "given", parameters
    assert parameters == manifest(two)["parameters"]
    assert sum(abs(weight) for weight in manifest(one)["mix"].values()) > 0.5


@suite.test
def what_it_settled_on_makes_the_same_model_when_it_is_said():
    version = train("--algorithm", "auto")
    parameters = dict(manifest(version)["parameters"])
    family = parameters.pop("settled_on")
    beside = ("seed", "test_share", "k", "content_language", "content_ridge")
    settings = [f"--set={key}={value}" for key, value in parameters.items() if key not in beside]
    again = train("--algorithm", family, *settings)
    assert arrays(version) == arrays(again)


@suite.test
def every_family_that_serves_is_asked_by_its_own_member():
    customer = some_customer()
    for name in SERVING:
        version = train("--algorithm", name)
        mix = manifest(version)["mix"]
        if name in MEMBERS:
            assert mix == {**dict.fromkeys(mix, 0.0), MEMBERS[name]: 1.0}, (name, mix)
        with Server(DATA) as server:
            answer = server.ask("recommend", "--customer", customer)
            assert answer["modelVersion"] == version, answer
            sources = {source["source"] for item in answer["items"] for source in item["sources"]}
            if name != "popularity":
                assert "CANDIDATE_SOURCE_MODEL" in sources, (name, sources)


@suite.test
def families_for_evaluation_are_refused():
    for name in ("usercf", "autoencoder", "boosted", "content"):
        done = run("train", "--data", DATA, "--algorithm", name, status=2)
        assert "cannot serve" in done.stderr, (name, done.stderr)


suite.run()
