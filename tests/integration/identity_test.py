#!/usr/bin/env python3
"""One person, many ids: till, web and app become one customer, in one process and in three."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, ThreeServices, run, run_json  # noqa: E402

suite = Suite("identity")
folder = Folder()
DATA = folder / "data"
SHOP = folder / "shop"


class OneProcess:
    def __init__(self):
        self.profile = self.ranking = Server(DATA)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.profile.stop()


def recommended(cell, *who):
    answer = cell.ranking.ask("recommend", *who, "-n", "10")
    assert not answer["degraded"], answer
    return [item["id"] for item in answer["items"]]


def sells(cell, card, item):
    result = cell.profile.ask("event", "--identity", card, "--type", "purchase", "--item", item,
                              "--channel", "pos")
    assert result["accepted"] == 1, result


def till_web_and_app_become_one_member(cell, name):
    """Each step is asked for right after the acknowledgement of the one before."""
    member, card = f"member:{name}", f"loyalty_card:{name}-4711@pos"
    visitor, device = f"visitor:{name}-v1", f"device:{name}-d1@app"
    for identity in (visitor, device):
        cell.profile.ask("event", "--identity", identity, "--type", "view", "--item",
                         "KI00-00001", "--channel", "web")
    sold = recommended(cell, "--customer", name)[0]
    sells(cell, card, sold)
    assert sold in recommended(cell, "--customer", name), "the till's sale is somebody else's yet"

    linked = cell.profile.ask("link", member, card, visitor, device)
    assert linked["changed"] and linked["mergedCustomers"] == 2, linked
    assert linked["addedIdentities"] == 1, "the member had no event yet"
    for who in (("--customer", name), ("--visitor", f"{name}-v1"), ("--identity", card),
                ("--identity", device)):
        shown = recommended(cell, *who)
        assert sold not in shown, f"{who} is shown what the till sold"
        profile = cell.profile.ask("profile", *who)
        assert profile["customerNumber"] == linked["customerNumber"], profile
        assert profile["customer"]["id"] == name, profile
        assert sold in profile["itemIds"] and "KI00-00001" in profile["itemIds"], profile
    again = cell.profile.ask("link", visitor, member)
    assert not again["changed"] and again["customerNumber"] == linked["customerNumber"], again

    next_sold = recommended(cell, "--identity", device)[0]
    sells(cell, card, next_sold)
    assert next_sold not in recommended(cell, "--customer", name)

    parted = cell.profile.ask("link", "--unlink", card)
    assert parted["unlinkedIdentities"] == 1 and "future events only" in parted["note"], parted
    assert next_sold not in recommended(cell, "--customer", name), "what was recorded stays"
    third = recommended(cell, "--customer", name)[0]
    sells(cell, card, third)
    assert third in recommended(cell, "--customer", name), "the card is somebody else's now"


@suite.test
def a_storefront_is_imported_and_trained():
    run_json("demo-data", "--out", SHOP, "--customers", "1500", "--items", "500", "--days", "40")
    run("import", "--data", DATA, *(SHOP / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")))
    run("train", "--data", DATA, "--set", "factors=16")


@suite.test
def in_one_process_the_next_recommend_knows():
    with OneProcess() as cell:
        till_web_and_app_become_one_member(cell, "ann")


@suite.test
def in_three_processes_the_next_recommend_knows():
    with ThreeServices(DATA) as cell:
        till_web_and_app_become_one_member(cell, "bob")


@suite.test
def two_members_want_the_flag_and_a_restart_keeps_what_was_joined():
    with Server(DATA) as server:
        refused = run("link", "--target", server.target, "member:ann", "member:bob", status=1)
        assert "merge_members" in refused.stderr, refused.stderr
        merged = server.ask("link", "--merge-members", "member:ann", "member:bob")
        assert merged["mergedCustomers"] == 1, merged
    with Server(DATA) as server:
        ann, bob = (server.ask("profile", "--customer", name) for name in ("ann", "bob"))
        assert ann == bob and ann["customerNumber"] == merged["customerNumber"], (ann, bob)
    run("train", "--data", DATA, "--set", "factors=16")  # the log's old numbers are resolved


@suite.test
def an_address_in_clear_is_refused_and_a_wrong_type_is_usage():
    with Server(DATA) as server:
        for text, word in (("email_hash:ann@example.com@", "hash"), ("phone:1", "loyalty_card")):
            refused = run("link", "--target", server.target, "member:ann", text, status=2)
            assert word in refused.stderr, refused.stderr
        refused = run("event", "--target", server.target, "--identity", "nobody", status=2)
        assert "TYPE:ID" in refused.stderr, refused.stderr


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
