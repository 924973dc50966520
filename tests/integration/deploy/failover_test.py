#!/usr/bin/env python3
"""Our own client with the addresses of two ranking replicas: one dies or hangs, callers do not
notice. No gateway is needed for that."""
# Runs alone: an attempt has a fifth of a second, and two of them no more.

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from background_load import BackgroundLoad  # noqa: E402
from deployed import make_certificates, tls  # noqa: E402
from vitrine import Folder, Server, Suite, run, run_json  # noqa: E402

LONG = os.environ.get("VITRINE_TEST_ALL") == "1"
RATE, AWAY_S = (500, 30) if LONG else (50, 1)
TIMEOUT = "1s" if LONG else "5s"  # the ordinary form counts failures on machines of any speed
SUSPENDED_S = 30 if LONG else 7  # a call that waits for the stopped replica fails
suite = Suite("deploy/failover")
folder = Folder()
DATA, CERTS = folder / "data", folder / "certs"
make_certificates(CERTS)
run("demo-data", "--out", folder / "shop", "--customers", 300, "--items", 200, "--days", 30)
run("import", "--data", DATA, *sorted((folder / "shop").glob("*.jsonl")))
run("train", "--data", DATA, "--algorithm", "ials", "--set", "iterations=2")


def serve(role, *others, port=0):
    return Server(DATA, "--role", role, *others, *tls(CERTS), "--listen", f"127.0.0.1:{port}",
                  http=True)


profile = serve("profile")
candidate = serve("candidate", "--profile", profile.target)


def start_ranking(port=0):
    return serve("ranking", "--profile", profile.target, "--candidate", candidate.target, port=port)


rankings = [start_ranking(), start_ranking()]
TARGET = ",".join(server.target for server in rankings)


def load():
    return BackgroundLoad(TARGET, *tls(CERTS, "operator"), "--connections", 2, "--customers", 300,
                          rate=RATE, timeout=TIMEOUT)


def answers(server):
    return server.metric('grpc_server_handled_total{grpc_type="unary",grpc_service="vitrine.v1.'
                         'RecommendationService",grpc_method="Recommend",grpc_code="OK"}')


@suite.test
def calls_go_to_both():
    for _ in range(2):
        got = run_json("recommend", "--target", TARGET, "--customer", "C000042",
                       *tls(CERTS, "storefront"))
        assert got["items"] and not got.get("degraded"), got
    with load():
        pass
    assert all(answers(server) >= RATE / 4 for server in rankings), list(map(answers, rankings))


@suite.test
def a_killed_replica_is_not_noticed_and_used_again():
    with load() as calls:
        rankings[0].stop(signal.SIGKILL)
        time.sleep(AWAY_S)  # what is measured is this time
        rankings[0] = start_ranking(rankings[0].port)
    assert calls.ok >= 0.999 * calls.sent > 0, str(calls)
    with load():
        pass
    assert answers(rankings[0]) > 0


@suite.test
def a_stopped_replica_is_not_noticed():
    with load() as calls:
        rankings[0].process.send_signal(signal.SIGSTOP)
        try:
            time.sleep(SUSPENDED_S)  # and here this one
        finally:
            rankings[0].process.send_signal(signal.SIGCONT)
    assert calls.ok >= 0.999 * calls.sent > 0, str(calls)


@suite.test
def what_is_no_list_of_addresses_is_refused():
    for target in ("localhost:1,127.0.0.1:2", "127.0.0.1:1,", "127.0.0.1:1,[::1]:2"):
        done = run("recommend", "--target", target, "--customer", "c", status=None)
        assert done.returncode != 0 and "numeric" in done.stderr, (target, done.stderr)


try:
    suite.run()
finally:
    for part in (*rankings, candidate, profile):
        part.stop()
    folder.close()
