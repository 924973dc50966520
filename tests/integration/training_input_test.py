#!/usr/bin/env python3
"""What training is told, wrong in every way that numbers can be: weights, values and settings on
the command line, in a configuration file and in the data. Each is refused by name with what would
do, and what serves stays."""

import json
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Suite, run, run_json  # noqa: E402

suite = Suite("training_input")
folder = Folder()
DATA, SHOP, FILE = folder / "data", folder / "shop", folder / "train.txt"
FAST = ["--set", "factors=8", "--threads", "2"]
TYPES = ["impression", "click", "view", "search", "favourite", "like", "dislike", "rating",
         "comment", "share", "cart", "cart_remove", "reservation", "order", "purchase", "return",
         "custom"]
NO_NUMBERS = ["nan", "-nan", "inf", "-inf", "1e999", "", "x", "1x", "-1", " "]


def current():
    return (DATA / "bundles" / "CURRENT").read_text(encoding="ascii").strip()


def refuse(label, args, status, *words):
    """The command fails so, says all the words, and leaves what serves."""
    before = current()
    done = run("train", *args, status=None)
    assert done.returncode == status, (label, done.returncode, done.stderr)
    for word in words:
        assert word in done.stderr, (label, word, done.stderr)
    assert current() == before, label


@suite.test
def a_storefront_with_a_model_to_lose():
    run("demo-data", "--out", SHOP, "--customers", "300", "--items", "100", "--days", "20")
    run("import", "--data", DATA, SHOP)
    run("train", "--data", DATA, *FAST)
    FILE.write_text("1 2 3 4\n2 3 4 5\n3 2 5 4 6\n4 2 6\n", "ascii")


@suite.test
def weights_that_are_no_weights_are_refused_by_name():
    for number in ("nan", "-nan", "inf", "1001", "-1001", "", "x", "1x"):
        refuse(number, ["--data", DATA, "--weight", f"purchase={number}"], 2, "weight:",
               f"purchase={number}", "-1000 to 1000")
    for number in NO_NUMBERS + ["1.01"]:
        refuse(number, ["--data", DATA, "--value", f"purchase={number}"], 2, "value:",
               f"purchase={number}", "0 to 1")
    refuse("misspelt", ["--data", DATA, "--value", "purchas=1"], 2, "'purchase'")
    for number in ("nan", "-1", "inf", "x"):
        refuse(number, ["--data", DATA, "--half-life", number], 2, "--half-life", "0 to 36500")


@suite.test
def settings_out_of_range_are_refused_on_the_command_line_and_in_a_file():
    config = folder / "config.yaml"
    for family, key in (("ials", "regularization"), ("ials", "unobserved_weight"),
                        ("ials", "init_stddev"), ("ease", "dropout"), ("sharpened", "low_pass"),
                        ("itemcf", "shrinkage"), ("blend", "ease")):
        for number in NO_NUMBERS:
            told = f"{key}={number}"
            refuse(told, ["--data", DATA, "--algorithm", family, "--set", told], 2, f"{key}:",
                   "is not a number from")
        for number in NO_NUMBERS[::4]:
            told = f"{key}={number}"
            config.write_text(f"algorithm: {family}\nset:\n  - '{told}'\n", "ascii")
            refuse(told, ["--data", DATA, "--config", config], 2, f"{key}:", "is not a number from")
    for number in ("0", "-3", "2.5", "nan", "1e9"):
        refuse(number, ["--data", DATA, "--set", f"factors={number}"], 2, "factors:", "whole number")


@suite.test
def weights_that_leave_nothing_are_told():
    zero = [f"--weight={name}=0" for name in TYPES]
    below = [f"--weight={name}=-1" for name in TYPES]
    refuse("all 0", ["--data", DATA, *zero], 1, "too little", "weight is above 0", "--weight")
    refuse("all below 0", ["--data", DATA, *below], 1, "weight above 0")
    refuse("parts", ["--data", DATA, "--algorithm", "blend", "--set", "weights=given",
                     *(f"--set={part}=0" for part in ("ials", "ease", "sharpened", "itemcf"))], 1,
           "weight that is not 0")
    refuse("no regularization", ["--data", folder / "data", "--train", FILE, "--set",
                                 "regularization=0", "--set", "factors=16"], 1,
           "a regularization above 0")


@suite.test
def weights_beside_a_file_without_types_are_refused():
    for option, value in (("weight", "custom=2"), ("value", "custom=1"), ("half-life", "30")):
        refuse(option, ["--data", DATA, "--train", FILE, f"--{option}", value], 2, f"{option}:",
               "no event types")
        done = run("evaluate", "--train", FILE, f"--{option}", value, status=2)
        assert "no event types" in done.stderr, done.stderr


@suite.test
def numbers_in_the_data_that_are_none_are_put_aside():
    bad = ["NaN", "Infinity", "1e400", '"many"']
    with open(folder / "bad.jsonl", "w", encoding="utf-8") as out:
        for i, number in enumerate(bad):
            out.write(f'{{"event_id":"bad-{i}","type":"purchase","customer_id":"c1","item_id":'
                      f'"KI00-00001","time":"2024-05-01T00:00:0{i}Z","quantity":{number}}}\n')
    rows = run_json("import", "--data", DATA, folder / "bad.jsonl")["rows"]
    assert rows["read"] == len(bad) and rows["accepted"] == 0, rows
    assert rows["rejected"] + rows["review"] == len(bad), rows


@suite.test
def a_value_enters_the_weight_and_the_version_keeps_it():
    def version(*more):
        made = run_json("train", "--data", DATA, *FAST, "--no-gate", *more)["version"]
        here = DATA / "bundles" / made
        return (json.loads((here / "manifest.json").read_text("utf-8")),
                (here / "item_factors.arr").read_bytes())
    plain, factors = version()
    assert plain["value_exponents"] == {}
    valued, other = version("--value", "purchase=1", "--value", "rating=0.5")
    assert valued["value_exponents"] == {"rating": 0.5, "purchase": 1.0}
    assert other != factors
    again, same = version("--value", "purchase=0", "--value", "rating=0")
    assert again["value_exponents"] == {} and same == factors


def shop_with_titles(name, title_of):
    """The storefront again, its items with these titles and nothing else written about them."""
    made = folder / name
    made.mkdir()
    with open(SHOP / "items.jsonl", encoding="utf-8") as items, \
            open(made / "items.jsonl", "w", encoding="utf-8") as out:
        for place, item in enumerate(map(json.loads, items)):
            out.write(json.dumps({"id": item["id"], "title": title_of(place)}) + "\n")
    run("import", "--data", made / "data", made / "items.jsonl", SHOP / "events.jsonl")
    return made / "data"


@suite.test
def texts_without_a_relation_to_solve_for_still_make_a_model():
    """All alike (rank 1), every word its own (none in two items), and twins of twins (rank n / 2)."""
    for name, has_map, title_of in (
            ("alike", True, lambda place: "Red Mug"),
            ("unlike", False, lambda place: f"word{place:03}x"),
            ("twins", True, lambda place: f"word{place // 2:03}x word{place // 2:03}y")):
        data = shop_with_titles(name, title_of)
        version = run_json("train", "--data", data, *FAST)["version"]
        run("models", "verify", version, "--data", data)
        told = json.loads((data / "bundles" / version / "manifest.json").read_text("utf-8"))
        assert all(math.isfinite(value) for value in told["metrics"].values()), (name, told)
        assert ("content_explained" in told["metrics"]) == has_map, (name, told["metrics"])
        assert told["metrics"].get("content_explained", 0) <= 1, (name, told["metrics"])


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
