#!/usr/bin/env python3
"""The learned ranker from events to answers: learnt, measured, carried by a version, asked in one
process and in three, left out by configuration, and refused when its features are unknown."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, ThreeServices, run, run_json  # noqa: E402

suite = Suite("ranker")
folder = Folder()
DATA = folder / "data"
SHOP = folder / "shop"
CUSTOMERS = [f"C{number:06d}" for number in range(1, 60, 4)]


def make_shop():
    run("demo-data", "--out", SHOP, "--customers", 1200, "--items", 300, "--days", 60, "--seed", 3)
    run("import", "--data", DATA, *(SHOP / name for name in (
        "items.jsonl", "customers.jsonl", "channels.jsonl", "events.jsonl")))
    # Kept whatever it measures: what is tested here is the way to the answer.
    return run_json("train", "--data", DATA, "--set", "factors=16", "--ranker", "--no-gate")


TRAINED = make_shop()


def manifest():
    return json.loads((DATA / "bundles" / TRAINED["version"] / "manifest.json").read_text())


def answers(server):
    """Everything but the token, which is new for each answer."""
    found = []
    for customer in CUSTOMERS:
        found.append(server.ask("recommend", "--customer", customer, "-n", 20))
        ids = [item["id"] for item in found[-1]["items"]]
        found.append(server.ask("rank", "--customer", customer, *reversed(ids)))
    for answer in found:
        answer.pop("attributionToken", None)
    return found


def ranker_scores(answer):
    return [source["score"] for item in answer["items"] for source in item["sources"]
            if source["source"] == "CANDIDATE_SOURCE_RANKER"]


@suite.test
def training_says_what_it_is_worth_and_the_version_carries_it():
    metrics = TRAINED["metrics"]
    for name in ("ranker_ndcg", "ranker_recall", "ranker_blend_ndcg", "ranker_blend_recall"):
        assert 0 <= metrics[name] <= 1, (name, metrics)
    assert metrics["ranker_customers"] >= 100 and metrics["ranker_trees"] >= 1, metrics
    assert 0 <= metrics["ranker_calibration_error"] < 0.2, metrics
    listed = manifest()
    assert "model" in listed["ranker_features"] and "price" in listed["ranker_features"], listed
    assert "ranker_nodes.arr" in listed["files"] and "ranker_calibration.arr" in listed["files"]
    assert not (DATA / "train.ranker.tmp").exists(), "versions of the past are left behind"


@suite.test
def one_process_and_three_give_the_same_ranked_answers():
    with Server(DATA) as server:
        one = answers(server)
    assert any(ranker_scores(answer) for answer in one), one[0]
    for answer in one[::2]:  # of Recommend, diversity moves only a little
        scores = ranker_scores(answer)
        assert not scores or max(scores[:5]) == max(scores), scores
    with ThreeServices(DATA) as services:
        assert answers(services.ranking) == one


@suite.test
def a_weight_of_zero_blends_as_without_a_ranker():
    with Server(DATA, "--source-weights.ranker", "0") as server:
        assert not any(ranker_scores(answer) for answer in answers(server))


@suite.test
def a_version_with_an_unknown_feature_is_refused_by_name():
    path = DATA / "bundles" / TRAINED["version"] / "manifest.json"
    kept = path.read_text()
    try:
        path.write_text(kept.replace('"price_to_customer"', '"moon_phase"'))
        done = run("models", "verify", TRAINED["version"], "--data", DATA, status=1)
        assert "moon_phase" in done.stderr, done.stderr
    finally:
        path.write_text(kept)


@suite.test
def little_data_train_without_a_ranker_and_say_so():
    text = folder / "tiny.txt"
    text.write_text("".join(f"{user} {user % 3} {3 + user % 2}\n" for user in range(12)))
    done = run("train", "--data", folder / "tiny", "--train", text, "--set", "factors=4", "--ranker")
    assert "no ranker:" in done.stderr, done.stderr


suite.run()
