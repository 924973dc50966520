#!/usr/bin/env python3
"""More calls than a cell can answer: who is refused, and that nothing is left of it afterwards.

The ordinary form counts; times are judged in the long form only (VITRINE_TEST_ALL=1), which wants
the machine for itself: open-loop load of 1, 2 and 10 times the capacity, 30 s each.
"""
# Runs alone: a server is overloaded by load of its own, not by its neighbours.

import os
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "testlib"), str(TESTS / "perf")]
import overload  # noqa: E402
from vitrine import Folder, Server, Skip, Suite, run  # noqa: E402

suite = Suite("overload")
LONG = "VITRINE_TEST_ALL" in os.environ
MEMORY_MAX_MIB = 256  # that an overload may add
ITEMS = 100
FLOODS_MAX = 3

folder = Folder()
DATA = folder / "data"


def refused(server, kind):
    return sum(server.metric(f'vitrine_admission_refused_total{{class="{kind}",reason="{reason}"}}')
               for reason in ("wait", "deadline", "limit"))


def share_refused(report):
    return report["errors"].get("ResourceExhausted", 0) / report["sent"]


def is_calm(server):
    """Nothing waits any more, and a caller is answered."""
    for kind in ("storefront", "batch"):
        assert server.metric(f'vitrine_admission_queued{{class="{kind}"}}') == 0
    assert server.ask("recommend", "--customer", "C000001")["items"]


@suite.test
def a_cell_is_filled():
    shop = folder / "shop"
    run("demo-data", "--out", shop, "--items", 500, "--customers", 500)
    run("import", "--data", DATA, *(shop / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")))
    run("train", "--data", DATA, "--algorithm", "blend")


@suite.test
def batch_is_refused_before_storefronts_and_all_is_calm_after():
    with Server(DATA, "--threads", 1, http=True) as server:
        before = overload.rss_mib(server)
        flood = ("--rate", "max", "--duration", "3s", "--warmup", "0s", "--items", ITEMS)
        batch = overload.start_load(server.target, *flood, "--batch", "--connections", 4,
                                    "--concurrency", 64, "--timeout", "200ms")
        shop = overload.start_load(server.target, *flood, "--connections", 1, "--concurrency", 16,
                                   "--timeout", "2s")
        batch, shop = overload.result_of(batch), overload.result_of(shop)
        assert batch["errors"].get("ResourceExhausted", 0) > 0, batch
        assert shop["ok"] > 0, shop
        assert share_refused(shop) < share_refused(batch), (shop["errors"], batch["errors"])
        assert refused(server, "batch") > refused(server, "storefront")
        assert overload.rss_mib(server) - before < MEMORY_MAX_MIB
        is_calm(server)


def half_the_wait(server, connections, concurrency):
    """A deadline that half of so many calls at once cannot meet, on a machine of any speed and load,
    as an option of vitrine-load."""
    served = overload.result_of(overload.start_load(
        server.target, "--rate", "max", "--duration", "1s", "--items", ITEMS, "--connections",
        connections, "--concurrency", 8, "--timeout", "10s"))["goodput"]
    return f"{max(200, int(connections * concurrency / served * 500))}ms"


def flood_of_storefronts(server):
    return overload.result_of(overload.start_load(
        server.target, "--rate", "max", "--duration", "3s", "--warmup", "0s", "--items", ITEMS,
        "--connections", 8, "--concurrency", 100, "--timeout", half_the_wait(server, 8, 100)))


def refused_in_time(flood):
    """Refused while there was time, not found dead in a socket that was read too late."""
    return flood["errors"].get("ResourceExhausted", 0) > flood["errors"].get("DeadlineExceeded", 0)


@suite.test
def a_flood_of_storefronts_is_refused_in_part_and_bounded():
    with Server(DATA, "--threads", 1, http=True) as server:
        before = overload.rss_mib(server)
        # The machine may have slowed down since the deadline was found: another flood has its own.
        # A server that reads its sockets too late does so in each of them.
        floods = []
        while len(floods) < FLOODS_MAX and not any(map(refused_in_time, floods)):
            floods.append(flood_of_storefronts(server))
        assert refused_in_time(floods[-1]), floods
        assert refused(server, "storefront") > 0
        assert refused(server, "batch") == 0
        assert overload.rss_mib(server) - before < MEMORY_MAX_MIB
        is_calm(server)


def judges_times():
    if not LONG:
        raise Skip("judges times: VITRINE_TEST_ALL=1, on a machine that does nothing else")


@suite.test
def far_more_than_the_capacity_costs_little_of_it():
    judges_times()
    with overload.start_server(overload.make_data(folder / "larger")) as server:
        before = overload.rss_mib(server)
        capacity, reports, after = overload.measure(server, (1, 2, 10), 30, ITEMS)
        for factor, report in reports.items():
            overload.row(f"# {factor}x", capacity, report)
        assert reports[1]["goodput"] >= .95 * capacity, (capacity, reports[1])
        # .8 is the goal at ten times too; what refusing costs then stands in docs/performance.md.
        for factor, share in ((2, .8), (10, .6)):
            report = reports[factor]
            assert report["goodput"] >= share * capacity, (factor, capacity, report)
            assert report["p99_us"] <= 2 * reports[1]["p99_us"], (factor, report, reports[1])
            assert report["rss_mib"] - before < MEMORY_MAX_MIB, (factor, before, report)
        assert after["ok"] >= .99 * after["sent"], after


@suite.test
def a_flood_at_once_does_not_leave_a_server_reading_what_nobody_waits_for():
    """Nothing is known of the calls' cost yet, and the sockets fill while it is found out. A server
    that read them by turns with its work would stay behind by a deadline for ever."""
    judges_times()
    with overload.start_server(folder / "larger" / "data") as server:
        capacity = overload.offer(server, "max", 5, ITEMS, timeout="2s")["goodput"]
    for _ in range(3):
        with overload.start_server(folder / "larger" / "data") as server:
            flood = overload.offer(server, int(capacity * 10), 10, ITEMS)
            overload.row("# at once", capacity, flood)
            assert flood["goodput"] >= .4 * capacity, (capacity, flood)


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
