#!/usr/bin/env python3
"""What is trained where nobody said what: the data choose, one line says why, the manifest keeps it,
threads change nothing, and words override it."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Suite, run  # noqa: E402

suite = Suite("default")
folder = Folder()
DATA = folder / "data"


def make_data():
    run("demo-data", "--out", folder / "demo", "--customers", "800", "--items", "200", "--days", "30")
    run("import", "--data", DATA, *(folder / "demo" / f"{name}.jsonl"
                                    for name in ("items", "customers", "events")))


def manifest(version):
    return json.loads((DATA / "bundles" / version / "manifest.json").read_text())


def arrays(version):
    files = manifest(version)["files"]
    return {name: digest for name, digest in files.items() if name.endswith(".arr")}


def choices(done):
    return [line for line in done.stderr.splitlines() if line.startswith("algorithm: ")]


def train(*more):
    done = run("train", "--data", DATA, "--no-gate", "--json", *more)
    return json.loads(done.stdout), choices(done)


def evaluate(*more):
    done = run("evaluate", "--data", DATA, "--json", *more)
    return json.loads(done.stdout), choices(done)


@suite.test
def the_data_choose_the_same_on_one_thread_and_on_two_and_say_why():
    one, said = train("--threads", "1")
    two, said_again = train("--threads", "2")
    assert len(said) == 1 and said == said_again, (said, said_again)
    users, items = one["users"], one["items"]
    for words in ("algorithm: blend of", f"because {users} customers and {items} items",
                  "% of all pairs", "core seconds", "--algorithm NAME"):
        assert words in said[0], (words, said[0])
    assert arrays(one["version"]) == arrays(two["version"])
    assert one["algorithm"] == "blend" and one["chosen"].startswith("by the data: "), one
    parameters = manifest(one["version"])["parameters"]
    assert parameters["chosen"] == one["chosen"], parameters
    assert parameters["settled_on"] == "blend" and "ials.regularization" in parameters, parameters


@suite.test
def what_was_chosen_makes_the_same_model_when_it_is_said():
    chosen, _ = train()
    parameters = manifest(chosen["version"])["parameters"]
    beside = ("settled_on", "chosen", "seed", "test_share", "k", "content_language",
              "content_ridge")
    settings = [f"--set={key}={value}" for key, value in parameters.items() if key not in beside]
    again, said = train("--algorithm", parameters["settled_on"], *settings)
    assert arrays(chosen["version"]) == arrays(again["version"])
    assert said == [] and "chosen" not in again, (said, again)


@suite.test
def words_override_the_data():
    for words, family in ((("--algorithm", "itemcf"), "itemcf"), (("--set", "factors=8"), "ials"),
                          (("--warm",), "ials")):
        made, said = train(*words)
        assert (made["algorithm"], said) == (family, []), (words, made, said)
        assert "chosen" not in made and "chosen" not in manifest(made["version"])["parameters"]


@suite.test
def evaluate_chooses_as_train_does():
    chosen, said = evaluate("--protocol", "random")
    assert len(said) == 1 and "blend of" in said[0], said
    assert chosen["algorithm"] == "blend" and chosen["chosen"].startswith("by the data: "), chosen
    small, said = evaluate("--protocol", "random", "--memory", "8MiB")
    assert "more families would take" in said[0], said
    assert small["algorithm"] == "ials" and "does not fit" in small["chosen"], small


make_data()
suite.run()
