#!/usr/bin/env python3
"""What is asked about all customers: a list for each, and who would like an item."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, ThreeServices, run, run_json  # noqa: E402

suite = Suite("audience")
folder = Folder()
DATA = folder / "data"
SHOP = folder / "shop"
DENIED = "C000007"


def list_of(row):
    return [(item["id"], item["score"]) for item in row["response"]["items"]]


def all_lists(server, name, *options):
    out = folder / name
    run("recommend-all", "--target", server.target, "--out", out, "-n", "5", *options)
    assert not pathlib.Path(f"{out}.mark").exists(), "a whole file has no mark"
    return [json.loads(line) for line in out.read_text().splitlines()]


def interested_in(server, *arguments):
    out = run("who-would-like", "--target", server.target, "--json", *arguments).stdout
    return [json.loads(line) for line in out.splitlines()]


@suite.test
def demo_data_imports_and_trains():
    run("demo-data", "--out", SHOP, "--customers", "150", "--items", "120", "--days", "40",
        "--seed", "3")
    customers = [json.loads(line) for line in (SHOP / "customers.jsonl").read_text().splitlines()]
    for customer in customers:
        if customer["id"] == DENIED:
            customer["consent"] = "denied"
    (SHOP / "customers.jsonl").write_text("".join(json.dumps(c) + "\n" for c in customers))
    run("import", "--data", DATA, *(SHOP / name for name in (
        "items.jsonl", "customers.jsonl", "channels.jsonl", "events.jsonl")))
    run("train", "--data", DATA, "--algorithm", "blend")


@suite.test
def every_list_is_what_recommend_gives_in_one_process_and_in_three():
    with Server(DATA) as one:
        rows = all_lists(one, "one.jsonl")
        numbers = [int(row["customerNumber"]) for row in rows]
        assert numbers == sorted(set(numbers)) and len(rows) >= 140, len(rows)
        assert DENIED not in [row["customerId"] for row in rows], "no consent, no e-mail"
        for row in [row for row in rows if row["customerId"].startswith("C")][::7]:
            own = one.ask("recommend", "--customer", row["customerId"], "--placement", "e-mail",
                          "-n", "5")
            assert list_of(row) == [(item["id"], item["score"]) for item in own["items"]], row
    with ThreeServices(DATA) as three:
        again = all_lists(three.ranking, "three.jsonl")
    assert [list_of(row) for row in again] == [list_of(row) for row in rows]


@suite.test
def a_batch_that_broke_off_goes_on_where_its_mark_is():
    with Server(DATA) as server:
        whole = all_lists(server, "whole.jsonl")
        token = first_mark(server)
        kept = "".join(json.dumps(row) + "\n" for row in whole if int(row["customerNumber"]) <= 50)
        broken = folder / "broken.jsonl"
        broken.write_text(kept + '{"customerNumber":"51","resp')
        pathlib.Path(f"{broken}.mark").write_text(f"{len(kept.encode())} {token}\n")
        rows = all_lists(server, "broken.jsonl")
        assert [list_of(row) for row in rows] == [list_of(row) for row in whole]
        refused = run("recommend-all", "--target", server.target, "--out", broken, status=None)
        assert refused.returncode == 1 and "it is whole" in refused.stderr, refused.stderr
        pathlib.Path(f"{broken}.mark").write_text("what?")
        refused = run("recommend-all", "--target", server.target, "--out", broken, status=None)
        assert refused.returncode == 1 and "damaged" in refused.stderr, refused.stderr


def first_mark(server):
    """The place after customer 50: a page. It is the base64url of its list and the number."""
    import base64
    return base64.urlsafe_b64encode(b"R" + (50).to_bytes(8, "big")).decode().rstrip("=")


@suite.test
def who_would_like_an_item_is_who_scores_it_highest():
    item = json.loads((SHOP / "items.jsonl").read_text().splitlines()[3])["id"]
    with Server(DATA) as server:
        found = interested_in(server, item, "-n", "10000", "--include-buyers")
        ids = [row["customerId"] for row in found]
        assert len(found) > 50 and len(set(ids)) == len(ids) and DENIED not in ids
        scores = [(-row["score"], int(row["customerNumber"])) for row in found]
        assert scores == sorted(scores), "best first, ties by number"
        for row in [row for row in found if row["customerId"].startswith("C")][::9]:
            ranked = server.ask("rank", "--customer", row["customerId"], item)["items"][0]
            own = [source["score"] for source in ranked["sources"]
                   if source["source"] == "CANDIDATE_SOURCE_MODEL"]
            assert own == [row["score"]], (own, row)
        assert interested_in(server, item, "-n", "7", "--include-buyers") == found[:7]
        others = interested_in(server, item, "-n", "10000")
        bought = {row["customerId"] for row in found} - {row["customerId"] for row in others}
        assert bought == buyers_of(item) & set(ids) and bought, bought
    with ThreeServices(DATA) as three:
        assert interested_in(three.ranking, item, "-n", "7", "--include-buyers") == found[:7]


def buyers_of(item):
    events = [json.loads(line) for line in (SHOP / "events.jsonl").read_text().splitlines()]
    return {event.get("customer_id") or event.get("visitor_id") for event in events
            if event.get("item_id") == item and event["type"] in ("purchase", "order")}


@suite.test
def of_several_items_each_customer_is_there_once_with_the_one_liked_best():
    items = [json.loads(line)["id"] for line in (SHOP / "items.jsonl").read_text().splitlines()][:3]
    with Server(DATA) as server:
        alone = {item: {row["customerId"]: row["score"]
                        for row in interested_in(server, item, "-n", "10000")} for item in items}
        for row in interested_in(server, *items, "-n", "10000"):
            best = max((alone[item].get(row["customerId"], -1e9), item) for item in items)
            assert row["score"] == best[0], (row, best)
            assert alone[row["itemId"]][row["customerId"]] == row["score"]


@suite.test
def bad_questions_are_told_so():
    with Server(DATA) as server:
        for arguments, status, text in (
                (("who-would-like", "no-such-sku"), 1, "none of the 1 items is known"),
                (("who-would-like", "KI00-00001", "-n", "10001"), 2, "n"),
                (("recommend-all", "--out", folder / "x.jsonl", "-n", "201"), 2, "n"),
                (("recommend-all", "--out", folder / "y.jsonl", "--min-events", "201"), 2,
                 "min_events")):
            refused = run(*arguments, "--target", server.target, status=None)
            assert refused.returncode == status and text in refused.stderr, refused.stderr


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
