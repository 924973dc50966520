#!/usr/bin/env python3
"""Consent, dislikes and noise as a storefront meets them: over gRPC, with a trained model."""

import json
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, run, run_json  # noqa: E402

suite = Suite("noise")
folder = Folder()
DATA = folder / "data"
SHOP = folder / "shop"
LIST = ("-n", "200", "--include-seen")
CUSTOMER = None


def metrics(server):
    """The samples of /metrics: name and labels to value."""
    url = f"http://127.0.0.1:{server.http_port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in lines if line and not line.startswith("#")}


def send(server, *args):
    answer = server.ask("event", *args)
    assert answer["accepted"] == 1, answer


def ids(answer):
    return [item["id"] for item in answer["items"]]


def set_consent(customer, consent):
    path = folder / f"{customer}-{consent}.customers.jsonl"
    path.write_text(json.dumps({"id": customer, "consent": consent}) + "\n")
    run("import", "--data", DATA, path)


@suite.test
def imported_history_is_never_noise():
    global CUSTOMER
    summary = run_json("demo-data", "--out", SHOP, "--customers", "800", "--items", "300",
                       "--days", "30", "--seed", "3")
    CUSTOMER = summary["busiest_customer"]
    DATA.mkdir()
    with Server(DATA, "--visitor-events-per-hour", "1", http=True) as server:
        run("import", "--data", DATA, *(SHOP / name for name in (
            "items.jsonl", "customers.jsonl", "channels.jsonl", "events.jsonl")))
        counted = metrics(server)
        assert counted['vitrine_events_total{outcome="accepted"}'] > 5000, counted
        assert counted['vitrine_events_noise_total{reason="cap"}'] == 0, counted
        assert counted['vitrine_events_noise_total{reason="bot"}'] == 0, counted
    run("train", "--data", DATA, "--set", "factors=16")


@suite.test
def a_crawler_is_capped_and_a_buyer_is_not():
    with Server(DATA, "--visitor-events-per-hour", "2", http=True) as server:
        for _ in range(4):
            send(server, "--visitor", "crawler", "--item", "KI00-00001")
        send(server, "--visitor", "crawler", "--item", "KI00-00001", "--type", "purchase",
             "--quantity", "1", "--revenue", "5")
        known = server.ask("profile", "--visitor", "crawler")["events"]
        assert sorted(event["type"] for event in known) == [
            "EVENT_TYPE_PURCHASE", "EVENT_TYPE_VIEW", "EVENT_TYPE_VIEW"], known
        assert metrics(server)['vitrine_events_noise_total{reason="cap"}'] == 2


@suite.test
def a_bot_leaves_no_profile():
    with Server(DATA, http=True) as server:
        send(server, "--visitor", "monitor", "--item", "KI00-00001", "--bot")
        assert not server.ask("profile", "--visitor", "monitor").get("found")
        assert metrics(server)['vitrine_events_noise_total{reason="bot"}'] == 1


@suite.test
def what_is_disliked_is_never_shown_again():
    with Server(DATA) as server:
        before = server.ask("recommend", "--customer", CUSTOMER, *LIST)
        disliked, badly_rated = ids(before)[0], ids(before)[1]
        send(server, "--customer", CUSTOMER, "--item", disliked, "--type", "dislike")
        send(server, "--customer", CUSTOMER, "--item", badly_rated, "--type", "rating",
             "--value", "2")
        after = server.ask("recommend", "--customer", CUSTOMER, *LIST)
        assert disliked not in ids(after) and badly_rated not in ids(after)
        assert len(after["items"]) == len(before["items"])
        ranked = ids(server.ask("rank", "--customer", CUSTOMER, disliked, *ids(after)[:5]))
        assert ranked[-1] == disliked, ranked
        send(server, "--customer", CUSTOMER, "--item", disliked, "--type", "like")
        assert disliked in ids(server.ask("recommend", "--customer", CUSTOMER, *LIST))


@suite.test
def withdrawing_consent_ends_history_reasons_and_tokens_at_once():
    with Server(DATA) as server:
        granted = server.ask("recommend", "--customer", CUSTOMER)
        assert granted["attributionToken"]
        assert any("because you" in item["reason"] for item in granted["items"])
        set_consent(CUSTOMER, "denied")
        profile = server.ask("profile", "--customer", CUSTOMER)
        assert not profile.get("events"), profile
        send(server, "--customer", CUSTOMER, "--item", "KI00-00002", "--token",
             granted["attributionToken"])
        denied = server.ask("recommend", "--customer", CUSTOMER)
        assert len(denied["items"]) == 10 and not denied.get("degraded"), denied
        assert not denied.get("attributionToken"), denied
        assert not any("because you" in item["reason"] for item in denied["items"]), denied
        stranger = server.ask("recommend", "--customer", "nobody-yet")
        assert ids(denied) == ids(stranger)


@suite.test
def the_session_still_counts_without_consent():
    with Server(DATA) as server:
        plain = server.ask("recommend", "--customer", CUSTOMER, "-n", "5")
        session = server.ask("recommend", "--customer", CUSTOMER, "-n", "5", "--context",
                             "KI00-00001")
        assert ids(session) != ids(plain)


@suite.test
def granting_again_starts_empty():
    with Server(DATA) as server:
        set_consent(CUSTOMER, "granted")
        assert not server.ask("profile", "--customer", CUSTOMER).get("events")
        send(server, "--customer", CUSTOMER, "--item", "KI00-00003")
        assert len(server.ask("profile", "--customer", CUSTOMER)["events"]) == 1


@suite.test
def silence_is_no_where_the_shop_says_so():
    with Server(DATA, "--consent-default", "denied") as server:
        send(server, "--visitor", "silent", "--item", "KI00-00001")
        assert not server.ask("profile", "--visitor", "silent").get("found")
        assert not server.ask("recommend", "--visitor", "silent").get("attributionToken")


@suite.test
def training_goes_on_without_those_who_withdrew():
    run("train", "--data", DATA, "--set", "factors=16")


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
