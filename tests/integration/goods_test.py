#!/usr/bin/env python3
"""Sources that know goods, from files to answers: rules of baskets, what a training puts into a
version, and a shop in which the cart, a trend and a new item's title speak for items."""

import json
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, run, run_json, shared  # noqa: E402

suite = Suite("goods")
folder = Folder()
DATA = folder / "data"
DAY_S = 24 * 3600
NEWEST_S = 1_760_000_000
KINDS = ("tea", "paint")
WORDS = {"tea": ["green", "oolong", "leaf", "pot", "kettle"],
         "paint": ["oil", "brush", "canvas", "easel", "pigment"]}
N_ITEMS = 60  # even ones about tea, odd ones about paint


def kind_of(item):
    return KINDS[item % 2]


def item_line(item, rng):
    kind = kind_of(item)
    return {"id": f"sku-{item:03}", "title": " ".join([kind, *rng.sample(WORDS[kind], 2)]),
            "categories": ["shop", kind], "price": 5 + item % 7, "stock": 100}


def when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def event(number, customer, item, kind, seconds):
    return {"event_id": f"e{number}", "type": kind, "customer_id": f"c{customer:03}",
            "item_id": f"sku-{item:03}", "time": when(seconds), "channel": "web"}


def shop_events(rng):
    """Customers of one kind buy items of it, 0 and 2 always together; item 4 gains in the last week."""
    lines = []
    for customer in range(300):
        items = [i for i in range(N_ITEMS) if i % 2 == customer % 2 and i != 4]
        start = NEWEST_S - rng.randrange(35 * DAY_S)
        for place, item in enumerate(rng.sample(items, 8)):
            lines.append((customer, item, "view", start + 60 * place))
        basket = [0, 2] if customer % 6 == 0 else rng.sample(items, 2)
        for item in basket:
            lines.append((customer, item, "purchase", start + 3600))
        if customer % 4 == 0:
            lines.append((customer, 4, "view", NEWEST_S - rng.randrange(5 * DAY_S)))
    return [event(number, *line) for number, line in enumerate(lines)]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make_shop():
    rng = random.Random(5)
    items = write_lines(folder / "items.jsonl", [item_line(i, rng) for i in range(N_ITEMS)])
    events = write_lines(folder / "events.jsonl", shop_events(rng))
    run("import", "--data", DATA, items, events)
    return run_json("train", "--data", DATA, "--set", "factors=8")


TRAINED = make_shop()


@suite.test
def groceries_have_the_counts_that_arules_documents():
    path = shared("groceries") / "groceries.csv"
    for support, confidence, total in ((0.001, 0.8, 410), (0.001, 0.5, 5668), (0.006, 0.25, 463)):
        found = run_json("rules", "--data", path, "--support", support, "--confidence", confidence)
        assert found["total"] == total, (support, confidence, found["total"])


@suite.test
def rules_of_a_file_have_their_measures():
    path = folder / "baskets.csv"
    path.write_text('milk,"bread, rye"\nmilk,"bread, rye"\nmilk\neggs\n')
    found = run_json("rules", "--data", path, "--confidence", 0.6)
    assert (found["baskets"], found["items"], found["total"]) == (4, 3, 2), found
    exact = next(rule for rule in found["rules"] if rule["if"] == ["bread, rye"])
    assert exact["then"] == "milk" and exact["confidence"] == 1, exact
    assert exact["conviction"] is None and abs(exact["lift"] - 4 / 3) < 1e-9, exact


@suite.test
def rules_of_a_store_find_the_pair():
    found = run_json("rules", "--data", DATA, "--support", 0.05, "--item", "sku-000")
    assert {rule["then"] for rule in found["rules"]} == {"sku-000", "sku-002"}, found
    table = run("rules", "--data", DATA, "--support", 0.05, "--by", "confidence").stdout
    assert "who buys" in table and "tea" in table, table


@suite.test
def rules_that_cannot_be_found_say_why():
    bad = folder / "bad.csv"
    bad.write_text('milk\n"open\n')
    for status, text, arguments in (
            (1, "line 2", ("--data", bad)), (1, "No such file", ("--data", folder / "none.csv")),
            (2, "support", ("--data", bad, "--support", 0)), (2, "--data", ())):
        done = run("rules", *arguments, status=status)
        assert text in done.stderr and done.stdout == "", done.stderr
    views = folder / "views"
    run("import", "--data", views, write_lines(folder / "view.jsonl", [
        event(1, 1, 1, "view", NEWEST_S)]))
    assert "order or a purchase" in run("rules", "--data", views, status=1).stderr


@suite.test
def a_version_carries_what_the_data_say_of_goods():
    metrics = TRAINED["metrics"]
    assert metrics["bought_together_pairs"] >= 2, metrics
    assert metrics["trending_items"] == 1, metrics
    assert metrics["content_explained"] > 0.1, metrics
    bundle = DATA / "bundles" / TRAINED["version"]
    for part in ("bought_together_starts", "trending", "group_keys", "content_map"):
        assert (bundle / f"{part}.arr").exists(), part
    assert json.loads((bundle / "manifest.json").read_text())["parameters"]["content_language"]


@suite.test
def content_alone_finds_items_of_the_kind():
    found = {name: run_json("evaluate", "--data", DATA, "--protocol", "random", "--algorithm", name)
             for name in ("content", "popularity")}
    assert found["content"]["recall"] > found["popularity"]["recall"], found
    text = folder / "plain.txt"
    text.write_text("".join(f"{user} 1 2 3 4 5 6 7\n" for user in range(20)))
    done = run("evaluate", "--train", text, "--protocol", "random", "--algorithm", "content",
               status=1)
    assert "--data" in done.stderr, done.stderr


def ask(server, *arguments):
    """Item → its entry of the answer."""
    answer = run_json("recommend", "--target", server.target, "-n", 60, *arguments)
    return {entry["id"]: entry for entry in answer["items"]}


def sources_of(entry):
    return {source["source"] if isinstance(source, dict) else source
            for source in entry.get("sources", ())}


def speaks(entries, item, source):
    return item in entries and any(source in str(name) for name in sources_of(entries[item]))


def ask_until(server, item, source, *arguments):
    """The table of newcomers is made beside the requests: asks until it is there."""
    end = time.monotonic() + 60
    entries = ask(server, *arguments)
    while not speaks(entries, item, source) and time.monotonic() < end:
        entries = ask(server, *arguments)
    return entries


@suite.test
def cart_trend_and_title_speak_for_items():
    server = Server(DATA)
    try:
        entries = ask(server, "--visitor", "nobody", "--context", "sku-000")
        assert speaks(entries, "sku-002", "BOUGHT_TOGETHER"), entries.get("sku-002")
        assert speaks(entries, "sku-004", "TRENDING"), entries.get("sku-004")
        rng = random.Random(9)
        new = [item_line(i, rng) for i in (N_ITEMS, N_ITEMS + 1)]
        run("import", "--data", DATA, write_lines(folder / "new.jsonl", new))
        tea = f"sku-{N_ITEMS:03}"
        entries = ask_until(server, tea, "CONTENT", "--customer", "c000")
        assert speaks(entries, tea, "CONTENT"), entries.get(tea)
        order = list(entries)
        paint = f"sku-{N_ITEMS + 1:03}"
        assert paint not in entries or order.index(tea) < order.index(paint), order
    finally:
        server.stop()


suite.run()
