#!/usr/bin/env python3
"""When a process may get calls, and the order in which it stops."""

import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from vitrine import WAIT_S, Folder, Server, Suite, run, run_json  # noqa: E402

suite = Suite("deploy/ready")
folder = Folder()
DATA, SHOP = folder / "data", folder / "shop"


def until(condition, what):
    """Polls for what another process does in its own time."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def make_shop():
    run_json("demo-data", "--out", SHOP, "--customers", "200", "--items", "100", "--days", "20")
    run("import", "--data", DATA, *(SHOP / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")))
    return run_json("train", "--data", DATA, "--set", "factors=8")["version"]


version = make_shop()


def part(role, *others, **more):
    return Server(DATA, "--role", role, *others, http=True, **more)


def health(server, status=0):
    """What gateways, containers and Kubernetes ask: grpc.health.v1 over the port itself."""
    done = run("health", "--target", server.target, status=status)
    return done.stdout + done.stderr


def publish_again():
    """CURRENT by rename, as whoever publishes writes it: it is looked at again within a second."""
    current = DATA / "bundles" / "CURRENT"
    new = current.with_name(".CURRENT.new")
    new.write_bytes(current.read_bytes())
    new.rename(current)


@suite.test
def a_part_without_profile_is_alive_and_not_ready():
    with part("candidate", "--profile", "127.0.0.1:1", wait_ready=False) as candidate:
        assert candidate.page("/livez")[0] == 200
        status, text = candidate.page("/readyz")
        assert status == 503 and "item table" in text, (status, text)
        assert "NOT_SERVING" in health(candidate, status=1)


@suite.test
def ranking_and_candidate_wait_for_the_published_version():
    manifest = DATA / "bundles" / version / "manifest.json"
    hidden = manifest.with_suffix(".hidden")
    with part("profile") as profile:
        manifest.rename(hidden)
        with part("candidate", "--profile", profile.target, wait_ready=False) as candidate:
            with part("ranking", "--profile", profile.target, "--candidate", candidate.target,
                      wait_ready=False) as ranking:
                for server in (candidate, ranking):
                    until(lambda s=server: version in s.page("/readyz")[1], "no reason told")
                    assert server.page("/readyz")[0] == 503
                    assert server.page("/livez")[0] == 200
                    assert "NOT_SERVING" in health(server, status=1)
                hidden.rename(manifest)
                publish_again()
                for server in (candidate, ranking):
                    server.wait_for("ready")
                    assert server.page("/readyz") == (200, "ready\n")
                    assert health(server) == "SERVING\n"
                assert not ranking.ask("recommend", "--customer", "C000042").get("degraded")


@suite.test
def the_store_takes_events_whatever_became_of_the_version():
    manifest = DATA / "bundles" / version / "manifest.json"
    hidden = manifest.with_suffix(".hidden")
    manifest.rename(hidden)
    with Server(DATA, http=True) as server:
        assert server.page("/readyz")[0] == 200
        run("event", "--target", server.target, "--customer", "C000042", "--type", "view",
            "--item", "P00001")
    hidden.rename(manifest)


@suite.test
def a_stop_is_told_before_it_happens():
    """Readiness first, then a while of going on, so that balancers leave without a failed call."""
    with Server(DATA, "--drain-linger", "4s", http=True) as server:
        server.process.send_signal(signal.SIGTERM)
        server.wait_for("draining")
        until(lambda: server.page("/readyz") == (503, "not ready: stopping\n"), "still ready")
        assert server.page("/livez") == (200, "ok\n")
        assert server.ask("recommend", "--customer", "C000042")["items"]
        assert server.process.poll() is None
        assert server.process.wait(WAIT_S) == 0
        assert server.log[-1]["event"] == "end"
        server.wait_for("stopped")


@suite.test
def a_stop_before_it_was_ready_does_not_linger():
    with part("candidate", "--profile", "127.0.0.1:1", "--drain-linger", "1h",
              wait_ready=False) as candidate:
        candidate.process.send_signal(signal.SIGTERM)
        assert candidate.process.wait(WAIT_S) == 0


try:
    suite.run()
finally:
    folder.close()
