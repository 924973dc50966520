#!/usr/bin/env python3
"""Placements, from a file to answers: each rule on a small shop, in one process and in three, read
again while the server runs, and refused with the line where something is wrong."""

import json
import pathlib
import random
import signal
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import ROOT, Folder, Server, Suite, ThreeServices, run  # noqa: E402

suite = Suite("placements")
folder = Folder()
DATA = folder / "data"
DAY_S = 24 * 3600
NOW_S = int(time.time())
KINDS = ("tea", "mugs", "paint")
BRANDS = ("Acme", "Blue", "Core", "Dawn")
N_ITEMS = 120
N_CUSTOMERS = 200
BUYER = "c001"  # of tea, every 30 days
TEA = "sku-000"

PLACEMENTS = """
campaigns:
  gifts: {items: [sku-101, sku-104, sku-107], until: 2100-01-01}
  past: {items: [sku-110], until: 2020-01-01}
placements:
  default:
    diversity: low
  home:
    pins: [{item: sku-050, place: 2}]
    variants: group
    caps: [{per: brand, at-most: 3}]
    campaigns: [gifts, past]
    slots: [4]
  boosted:
    diversity: none
    boosts: [{filter: 'brand = "Dawn"', by: 100}]
  cheap:
    caps: [{per: price, tiers: [10, 20], at-most: 4}]
  again:
    sources:
      buy-again: {weight: 50, budget: 10}
      recently-viewed: {weight: 10, budget: 10}
      group: {weight: 0.1, budget: 10, of: [week, category]}
  nothing-new:
    sources:
      recently-viewed: {weight: 10, budget: 3}
  capped:
    shown: {at-most: 3, within: 24h}
  minute:
    shown: {at-most: 1, within: 1m}
  e-mail:
    exploration: {quota: 0.3, new-for: 30d, until-events: 1000}
"""


def item_line(item):
    return {"id": f"sku-{item:03}", "title": f"{KINDS[item % 3]} number {item}",
            "categories": ["shop", KINDS[item % 3]], "brand": BRANDS[item % 4],
            "price": 5 + item % 25, "stock": 100, "attributes": {"group": f"g{item // 2}"}}


def event(number, customer, item, kind, seconds):
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    return {"event_id": f"e{number}", "type": kind, "customer_id": f"c{customer:03}",
            "item_id": f"sku-{item:03}", "time": when, "channel": "web"}


def shop_events(rng):
    """Everybody has a kind of goods; a dozen buy the same tea again and again."""
    lines = []
    for customer in range(N_CUSTOMERS):
        of_kind = [i for i in range(1, N_ITEMS) if i % 3 == customer % 3]
        start = NOW_S - DAY_S * (1 + rng.randrange(60))
        for place, item in enumerate(rng.sample(of_kind, 6)):
            lines.append((customer, item, "view" if place % 2 else "purchase", start + 60 * place))
    for customer in range(12):
        for months in range(4):
            late = 30 if customer == 1 else rng.randrange(1, 30)
            lines.append((customer, 0, "purchase", NOW_S - DAY_S * (late + 30 * months)))
    return [event(number, *line) for number, line in enumerate(lines)]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_placements(text):
    path = folder / "placements.yaml"
    path.write_text(text)
    return path


def make_shop():
    items = write_lines(folder / "items.jsonl", [item_line(i) for i in range(N_ITEMS)])
    events = write_lines(folder / "events.jsonl", shop_events(random.Random(3)))
    run("import", "--data", DATA, items, events)
    run("train", "--data", DATA, "--set", "factors=8", "--set", "iterations=3")


make_shop()
FILE = write_placements(PLACEMENTS)


def ids(answer):
    return [item["id"] for item in answer["items"]]


def number_of(sku):
    return int(sku.split("-")[1])


def sources(item):
    return {score["source"].removeprefix("CANDIDATE_SOURCE_") for score in item["sources"]}


def recommend(server, placement, *args, customer=BUYER, n=10):
    return server.ask("recommend", "--customer", customer, "--placement", placement, "-n", n, *args)


def obeyed_at_home(server):
    got = ids(recommend(server, "home", n=12))
    assert len(got) == 12 and len(set(got)) == 12, got
    assert got[1] == "sku-050", got
    assert got[3] in ("sku-101", "sku-104", "sku-107"), got
    assert len({number_of(sku) // 2 for sku in got}) == 12, got  # a variant of each product
    for brand in range(4):
        assert sum(number_of(sku) % 4 == brand for sku in got) == 3, got
    return got


def answers(server):
    """Answers of every placement for a few customers."""
    return [[(item["id"], item["score"]) for item in recommend(server, placement,
                                                               customer=customer)["items"]]
            for placement in ("home", "boosted", "cheap", "again", "e-mail", "elsewhere")
            for customer in (BUYER, "c007", "nobody")]


@suite.test
def rules_hold_in_the_answers():
    with Server(DATA, "--placements", FILE) as server:
        obeyed_at_home(server)
        boosted = ids(recommend(server, "boosted", n=5))
        assert all(number_of(sku) % 4 == 3 for sku in boosted), boosted
        prices = [5 + number_of(sku) % 25 for sku in ids(recommend(server, "cheap", n=12))]
        tiers = [sum(low <= price < high for price in prices)
                 for low, high in ((0, 10), (10, 20), (20, 99))]
        assert tiers == [4, 4, 4], prices
        other = ids(recommend(server, "elsewhere", n=12))
        assert other == ids(recommend(server, "cart", n=12)) and "sku-050" not in other, other


@suite.test
def what_is_due_and_what_was_viewed_come_back_where_a_placement_says_so():
    with Server(DATA, "--placements", FILE) as server:
        again = recommend(server, "again")["items"]
        assert again[0]["id"] == TEA and "BUY_AGAIN" in sources(again[0]), again[0]
        viewed = [item["id"] for item in again if "RECENTLY_VIEWED" in sources(item)]
        assert len(viewed) == 3, viewed
        few = recommend(server, "nothing-new")["items"]
        assert TEA not in [item["id"] for item in few]
        assert {item["id"] for item in few[:3]} == set(viewed), few[:3]
        plain = recommend(server, "elsewhere")["items"]
        assert not {TEA, *viewed} & {item["id"] for item in plain}
        week = recommend(server, "again", customer="nobody")["items"]
        assert any("GROUP" in sources(item) for item in week), week


@suite.test
def new_items_get_their_share_for_an_hour():
    with Server(DATA, "--placements", FILE) as server:
        hour = int(time.time()) // 3600
        first = ids(recommend(server, "e-mail"))
        again = ids(recommend(server, "e-mail"))
        assert first == again or int(time.time()) // 3600 != hour, (first, again)
        others = [ids(recommend(server, "e-mail", customer=f"c{i:03}")) for i in range(1, 30, 3)]
        assert len({tuple(other) for other in others}) > 1, others


@suite.test
def one_process_and_three_obey_alike():
    hour = int(time.time()) // 3600
    with Server(DATA, "--placements", FILE) as one:
        alone = answers(one)
    with ThreeServices(DATA, ranking=("--placements", FILE)) as three:
        together = answers(three.ranking)
        obeyed_at_home(three.ranking)
    if int(time.time()) // 3600 == hour:  # exploration and days change with it
        assert alone == together


def show(server, item, hours_ago, *who):
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600 * hours_ago))
    server.ask("event", *who, "--type", "impression", "--item", item, "--time", when)


def capped_for_one_customer(server, profile, customer, other):
    who = ("--customer", customer)
    before, others = recommend(server, "capped", customer=customer), \
        ids(recommend(server, "capped", customer=other))
    uncapped = ids(recommend(server, "elsewhere", customer=customer))
    nobody = ids(server.ask("recommend", "--placement", "capped", "-n", 10, "--context", TEA))
    top = ids(before)[0]
    for hours_ago in (23.9, 25, 1):  # the second is out of the window
        show(profile, top, hours_ago, *who)
    assert ids(recommend(server, "capped", customer=customer)) == ids(before)
    show(profile, top, 2, *who)
    after = recommend(server, "capped", customer=customer)
    assert len(after["items"]) == 10 and top not in ids(after), (top, ids(after))
    assert not after["degraded"]
    assert ids(recommend(server, "elsewhere", customer=customer)) == uncapped  # no cap there
    assert ids(recommend(server, "capped", customer=other)) == others
    assert len(ids(recommend(server, "capped", customer="never-seen"))) == 10
    assert ids(server.ask("recommend", "--placement", "capped", "-n", 10, "--context",
                          TEA)) == nobody
    ranked = ids(server.ask("rank", *who, "--placement", "capped", top, TEA))
    assert sorted(ranked) == sorted([top, TEA])  # the caller's own list
    told = json.loads(run("explain", "--target", server.target, after["attributionToken"],
                          "--json").stdout)
    assert told["exact"], told
    missed = [item for item in told["misses"] if item["id"] == top or item["missedBy"] == "shown"]
    assert len(missed) == 1 and missed[0]["missedBy"] == "shown", missed
    assert [rule["rule"] for rule in missed[0]["rules"]] == ["shown"], missed
    visitor = ("--visitor", f"cookie of {customer}")
    first = ids(server.ask("recommend", *visitor, "--placement", "capped", "-n", 10))
    for hours_ago in (3, 2, 1):
        show(profile, first[0], hours_ago, *visitor)
    assert first[0] not in ids(server.ask("recommend", *visitor, "--placement", "capped", "-n", 10))


@suite.test
def what_a_customer_was_shown_often_enough_is_offered_no_more():
    with Server(DATA, "--placements", FILE) as server:
        capped_for_one_customer(server, server, "c021", "c022")
    with ThreeServices(DATA, ranking=("--placements", FILE)) as three:
        capped_for_one_customer(three.ranking, three.profile, "c023", "c024")


@suite.test
def what_was_shown_comes_back_after_the_window():
    with Server(DATA, "--placements", FILE) as server:
        before = ids(recommend(server, "minute", customer="c025"))
        shown_s = int(time.time()) - 50
        show(server, before[0], (time.time() - shown_s) / 3600, "--customer", "c025")
        got = ids(recommend(server, "minute", customer="c025"))
        assert before[0] not in got or time.time() >= shown_s + 60, got
        while before[0] not in got:
            assert time.time() < shown_s + 75, got
            time.sleep(0.2)
            got = ids(recommend(server, "minute", customer="c025"))
        assert time.time() >= shown_s + 60 and got == before, (got, before)


@suite.test
def a_list_for_everybody_is_the_one_that_recommend_gives():
    with Server(DATA, "--placements", FILE) as server:
        out = folder / "all.jsonl"
        run("recommend-all", "--target", server.target, "--placement", "capped", "-n", "10", "--out",
            out)
        lists = {row["customerId"]: ids(row["response"])
                 for row in map(json.loads, out.read_text().splitlines())}
        for customer in ("c021", "c022", "c023"):
            want = ids(recommend(server, "capped", customer=customer))
            assert lists[customer] == want, (customer, lists[customer], want)


@suite.test
def placements_are_read_again_while_the_server_runs():
    path = write_placements("placements: {home: {pins: [{item: sku-060, place: 1}]}}")
    with Server(DATA, "--placements", path) as server:
        assert ids(recommend(server, "home"))[0] == "sku-060"
        write_placements("placements: {home: {pins: [{item: sku-070, place: 1}]}}")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for("placements_loaded")
        assert ids(recommend(server, "home"))[0] == "sku-070"
        write_placements("placements: {home: {pinns: []}}")
        server.process.send_signal(signal.SIGHUP)
        refused = server.wait_for("placements_refused")
        assert ":1:" in refused["reason"] and "did you mean 'pins'" in refused["reason"], refused
        assert ids(recommend(server, "home"))[0] == "sku-070"
    write_placements(PLACEMENTS)


@suite.test
def rules_and_sources_are_counted():
    with Server(DATA, "--placements", FILE, http=True) as server:
        recommend(server, "home")
        recommend(server, "again")
        page = urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics").read().decode()
        counts = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[:1] != "#")
        assert counts['vitrine_recommend_rules_total{rule="pin"}'] == "1", page
        assert counts['vitrine_recommend_rules_total{rule="slot"}'] == "1"
        assert int(counts['vitrine_recommend_rules_total{rule="cap"}']) > 0
        assert counts['vitrine_recommend_items_total{source="buy-again"}'] == "1"


@suite.test
def a_wrong_file_stops_the_start_and_the_check():
    bad = folder / "bad.yaml"
    bad.write_text("placements:\n  home:\n    boosts: [{brnad: Acme, by: 2}]\n")
    for arguments in (("--check-config",), ()):
        done = run("serve", "--data", DATA, "--listen", "127.0.0.1:0", "--placements", bad,
                   *arguments, status=None)
        assert done.returncode == 2, done
        assert f"{bad}:3:" in done.stderr and "did you mean 'brand'?" in done.stderr, done.stderr
    assert "valid" in run("serve", "--data", DATA, "--placements", FILE, "--check-config").stdout
    assert "no meaning" in run("serve", "--data", DATA, "--role", "profile", "--placements", FILE,
                               "--check-config", status=2).stderr


@suite.test
def the_example_of_the_page_is_right():
    page = (ROOT / "docs" / "placements.md").read_text()
    example = folder / "example.yaml"
    example.write_text(page.split("```yaml\n")[1].split("```")[0])
    run("serve", "--data", DATA, "--placements", example, "--check-config")


suite.run()
