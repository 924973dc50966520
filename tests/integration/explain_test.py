#!/usr/bin/env python3
"""Explain: an answer is made again from its token, whatever the catalog became since, in one process
and in three; what is not there any more says why, and an erased customer leaves no byte behind.
"""
import json
import pathlib
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, ThreeServices, run, run_json  # noqa: E402

suite = Suite("explain")
folder = Folder()
SHOP, DATA = folder / "shop", folder / "data"
PLACEMENTS = """
placements:
  home:
    pins: [{item: KI00-00002, place: 2}]
    boosts: [{category: Kitchen, by: 1.5}]
    caps: [{per: brand, at-most: 2}]
    exploration: {quota: 0.2, new-for: 300d, until-events: 100000, prior: [1, 20]}
"""
rules = folder / "placements.yaml"
WAIT_S = 15


def names(answer):
    return [(item["id"], item["score"]) for item in answer["items"]]


def recommend(server, customer, *more):
    answer = server.ask("recommend", "--customer", customer, "-n", "8", *more)
    assert answer["attributionToken"], answer
    return answer


def explain(server, answer, status=0):
    """The explanation; with a status what went wrong."""
    done = run("explain", "--target", server.target, answer["attributionToken"], "--json",
               status=status)
    return json.loads(done.stdout) if status == 0 else done.stderr


def assert_told_again(server, answer):
    told = explain(server, answer)
    assert told["exact"], told
    assert names(told["response"]) == names(answer)
    assert [item["place"] for item in told["items"]] == list(range(1, len(answer["items"]) + 1))
    return told


def change_everything(answer):
    """Titles, categories, prices and stock of all that was answered."""
    lines = [json.dumps({"id": item["id"], "title": "Something else", "categories": ["Other"],
                         "price": 1234.5, "stock": 0}) for item in answer["items"]]
    changed = folder / "changed.jsonl"
    changed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run("import", "--data", DATA, changed)


def wait_until(done, what):
    end = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < end, f"{what} within {WAIT_S} s"
        time.sleep(0.05)


def holds_customer(data, number):
    """Whether a file of the decision log has the customer's number, as bytes."""
    needle = struct.pack("<Q", number)
    return any(needle in path.read_bytes() for path in (data / "decisions").glob("*.log"))


def outcomes_are_told(server, profile=None):
    profile = profile or server  # who has the store
    answer = recommend(server, "C000005")
    assert explain(server, answer)["outcomes"] == [], "nothing came of it yet"
    token, first, second = answer["attributionToken"], *[i["id"] for i in answer["items"][:2]]
    for kind, item in (("impression", first), ("impression", second), ("click", second),
                       ("purchase", second), ("view", "KI00-00001")):
        profile.ask("event", "--customer", "C000005", "--type", kind, "--item", item,
                    "--token", token)
    profile.ask("event", "--customer", "C000005", "--type", "click", "--item", first)  # without it
    told = assert_told_again(server, answer)
    seen = [(line["type"], line["itemId"], line["place"]) for line in told["outcomes"]]
    elsewhere = next((n + 1 for n, item in enumerate(answer["items"])
                      if item["id"] == "KI00-00001"), 0)
    assert sorted(seen) == sorted([
        ("EVENT_TYPE_IMPRESSION", first, 1), ("EVENT_TYPE_IMPRESSION", second, 2),
        ("EVENT_TYPE_CLICK", second, 2), ("EVENT_TYPE_PURCHASE", second, 2),
        ("EVENT_TYPE_VIEW", "KI00-00001", elsewhere)]), seen
    assert told["outcomesIncomplete"] == "", told["outcomesIncomplete"]
    table = run("explain", "--target", server.target, token).stdout
    assert "what came of it" in table and "purchase" in table, table


def erase_and_look(server, data, profile=None):
    profile = profile or server  # who has the store
    profile.ask("event", "--customer", "ann-member", "--item", "KI00-00001")
    number = int(profile.ask("profile", "--customer", "ann-member")["customerNumber"])
    assert number > 200, "as no item's, so that its bytes are nowhere else"
    answer, other = recommend(server, "ann-member"), recommend(server, "C000001")
    assert_told_again(server, answer)
    assert holds_customer(data, number), "the search finds what is there"
    profile.ask("erase", "--customer", "ann-member", "--now")
    wait_until(lambda: not holds_customer(data, number), "no byte of the erased customer is left")
    assert "erased:" in explain(server, answer, status=1)
    assert_told_again(server, other)


def all_of_it(server, data):
    answer = recommend(server, "C000001")
    told = assert_told_again(server, answer)
    assert told["call"] == "Recommend" and told["placement"] == "home"
    parts = told["items"][0]["parts"]
    assert parts and abs(sum(abs(part["share"]) for part in parts) - 1) < 1e-9, parts
    fired = {rule["rule"] for item in told["items"] for rule in item["rules"]}
    assert {"pin", "explore"} <= fired, fired
    tried = [rule for item in told["items"] for rule in item["rules"] if rule["rule"] == "explore"]
    assert all(0 < rule["propensity"] <= 1 for rule in tried), tried
    assert {item["missedBy"] for item in told["misses"]} & {"score", "cap"}, told["misses"]
    ranked = server.ask("rank", "--customer", "C000001", *(item["id"] for item in answer["items"]))
    assert_told_again(server, ranked)
    similar = server.ask("similar", answer["items"][0]["id"], "-n", "4")
    assert_told_again(server, similar)
    filtered = recommend(server, "C000002", "--filter", "price < 30", "--diversity", "high")
    assert_told_again(server, filtered)
    chinese = recommend(server, "C000002", "--language", "zh-CN")
    told = assert_told_again(server, chinese)
    reasons = [item["reason"] for item in chinese["items"] if item["reason"]]
    assert reasons and all(ord(max(reason)) > 0x4e00 for reason in reasons), reasons
    assert reasons == [item["reason"] for item in told["response"]["items"] if item["reason"]]
    table = run("explain", "--target", server.target, answer["attributionToken"]).stdout
    assert "made again exactly" in table and "because" in table and answer["items"][0]["id"] in table
    change_everything(answer)
    wait_until(lambda: server.ask("recommend", "--customer", "C000001")["items"][0]["id"]
               != answer["items"][0]["id"], "the catalog has changed")
    for kept in (answer, ranked, similar, filtered):
        assert_told_again(server, kept)
    return answer


@suite.test
def demo_data_imports_and_trains():
    rules.write_text(PLACEMENTS, encoding="utf-8")
    run("demo-data", "--out", SHOP, "--customers", "300", "--items", "200", "--days", "40")
    run("import", "--data", DATA, SHOP)
    run("train", "--data", DATA, "--set", "factors=8")


@suite.test
def one_process_tells_an_answer_again_also_after_a_restart():
    with Server(DATA, "--placements", rules) as server:
        answer = all_of_it(server, DATA)
    with Server(DATA, "--placements", rules) as server:
        assert_told_again(server, answer)
        outcomes_are_told(server)
        erase_and_look(server, DATA)


@suite.test
def three_processes_tell_it_too_and_forget_too():
    with ThreeServices(DATA, ranking=("--placements", rules)) as cell:
        answer = recommend(cell.ranking, "C000003")
        assert_told_again(cell.ranking, answer)
        outcomes_are_told(cell.ranking, cell.profile)
        erase_and_look(cell.ranking, DATA, cell.profile)
        cell.profile.stop()
        told = assert_told_again(cell.ranking, answer)
        assert told["outcomesIncomplete"].startswith("not told: "), told["outcomesIncomplete"]


@suite.test
def what_is_not_there_says_why():
    with Server(DATA, "--placements", rules) as server:
        answer = recommend(server, "C000004")
        rules.write_text(PLACEMENTS.replace("1.5", "1.6"), encoding="utf-8")
    with Server(DATA, "--placements", rules) as server:
        assert "configuration differs" in explain(server, answer, status=1)
    rules.write_text(PLACEMENTS, encoding="utf-8")
    with Server(DATA, "--placements", rules, "--decision-sample", "0") as server:
        assert_told_again(server, answer)  # of a run that recorded it
        unsampled = recommend(server, "C000004")
        assert "not sampled:" in explain(server, unsampled, status=1)
        assert "not an attribution token" in explain(server, {"attributionToken": "A" * 120}, 2)
    with Server(DATA, "--decision-space", "0") as server:
        assert "no log:" in explain(server, recommend(server, "C000004"), status=1)
    other = folder / "other"
    run("import", "--data", other, SHOP)
    (other / "token.key").write_bytes((DATA / "token.key").read_bytes())
    with Server(other) as server:
        assert "not here:" in explain(server, answer, status=1)
    run("serve", "--data", DATA, "--decision-space", "1MiB", status=2)


@suite.test
def who_says_no_is_not_recorded_and_what_was_recorded_goes():
    with Server(DATA, "--placements", rules) as server:
        server.ask("event", "--customer", "bob-member", "--item", "KI00-00001")
        answer = recommend(server, "bob-member")
        assert_told_again(server, answer)
        denied = folder / "denied.jsonl"
        denied.write_text('{"id":"bob-member","consent":"denied"}\n', encoding="utf-8")
        run("import", "--data", DATA, denied)
        wait_until(lambda: run("explain", "--target", server.target, answer["attributionToken"],
                               status=None).returncode != 0, "the record of who said no is erased")
        assert "erased:" in explain(server, answer, status=1)
        silent = server.ask("recommend", "--customer", "bob-member")
        assert silent["attributionToken"] == "", silent


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
