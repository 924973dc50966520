#!/usr/bin/env python3
"""vitrine evaluate: quality on a real data set where it is there, the same numbers for any thread
count, events of a live folder, and clear refusals."""

import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Suite, run, run_json, shared  # noqa: E402

suite = Suite("evaluate")
folder = Folder()
TRAIN, TEST = folder / "train.txt", folder / "test.txt"
TIMED = {"train_s", "peak_mib", "iteration_s", "score_s", "threads"}
KEYS = TIMED | {"algorithm", "users", "items", "interactions", "recall", "ndcg", "precision",
                "hit_rate", "map", "coverage", "diversity", "novelty", "served_recall",
                "served_ndcg", "seed"}


def write_two_tastes():
    """Users who like items of their own group, popular ones more; three of each are held out."""
    rng = random.Random(1)
    with open(TRAIN, "w", newline="") as train, open(TEST, "w", newline="") as test:
        for user in range(400):
            group = [i for i in range(240) if i % 4 == user % 4]
            items = {group[int(len(group) * rng.random() ** 2)] for _ in range(30)}
            items.add(rng.randrange(240))
            items = rng.sample(sorted(items), len(items))
            train.write(f"{user} {' '.join(map(str, items[3:]))}\r\n")
            test.write(f"{user} {' '.join(map(str, items[:3]))}\n")


def evaluate(train, test, *arguments):
    return run_json("evaluate", "--train", train, "--test", test, *arguments)


def refused(status, text, *arguments):
    done = run("evaluate", *arguments, status=status)
    assert text in done.stderr, done.stderr
    assert done.stdout == "", done.stdout


@suite.test
def json_has_every_documented_key():
    missing = KEYS - set(evaluate(TRAIN, TEST, "--set", "factors=8"))
    assert not missing, missing


@suite.test
def generated_tastes_are_found_and_popularity_cannot():
    ials = evaluate(TRAIN, TEST, "--set", "factors=8")
    popular = evaluate(TRAIN, TEST, "--algorithm", "popularity")
    assert ials["recall"] > 0.6, ials
    assert popular["recall"] < 0.5 * ials["recall"], popular


@suite.test
def one_two_and_three_threads_give_the_same_numbers():
    answers = [evaluate(TRAIN, TEST, "--set", "factors=8", "--threads", n) for n in (1, 2, 3)]
    plain = [{k: v for k, v in answer.items() if k not in TIMED} for answer in answers]
    assert plain[0] == plain[1] == plain[2], plain


@suite.test
def wrong_settings_are_refused_with_the_nearest_right_one():
    files = ("--train", TRAIN, "--test", TEST)
    refused(2, "did you mean 'factors'", *files, "--set", "factor=8")
    refused(2, "from 1 to", *files, "--set", "factors=0")
    refused(2, "unknown algorithm", *files, "--algorithm", "isla")
    refused(2, "adjacency", *files, "--protocol", "time")


@suite.test
def a_broken_line_is_named_with_its_place():
    broken = folder / "broken.txt"
    broken.write_text("1 2 3\n4 five\n")
    refused(1, "line 2, column 3", "--train", broken, "--test", TEST)


@suite.test
def two_sources_are_refused():
    refused(2, "either --data", "--train", TRAIN, "--data", folder.path)


@suite.test
def movielens_reaches_the_known_quality():
    split = shared("movielens-1m-split")
    files = (split / "train.txt", split / "test.txt")
    ials = evaluate(*files, "--algorithm", "ials", "--set", "factors=64")
    assert (ials["users"], ials["items"], ials["interactions"]) == (6022, 3043, 796244), ials
    assert ials["recall"] >= 0.274 and ials["ndcg"] >= 0.260, ials
    assert ials["served_ndcg"] >= 0.98 * ials["ndcg"], ials
    itemcf = evaluate(*files, "--algorithm", "itemcf")
    popular = evaluate(*files, "--algorithm", "popularity")
    assert ials["ndcg"] > itemcf["ndcg"] > popular["ndcg"], (itemcf, popular)
    known = (round(popular["recall"], 3), round(popular["ndcg"], 3))
    assert known == (0.116, 0.118), popular


if __name__ == "__main__":
    try:
        write_two_tastes()
        suite.run()
    finally:
        folder.close()
