#!/usr/bin/env python3
"""Under load through the gateway: restarts, kills, a stopped replica, a new model. Callers notice
none of it."""
# Runs alone: callers repeat once, so a machine that is busy otherwise loses calls of its own.

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from background_load import BackgroundLoad  # noqa: E402
from deployed import KEYS, DeployedCell, envoy_program  # noqa: E402
from vitrine import WAIT_S, Folder, Suite, run, run_json  # noqa: E402

LONG = os.environ.get("VITRINE_TEST_ALL") == "1"
ROUNDS, KILLS, RATE = (10, 20, 500) if LONG else (1, 2, 50)
TIMEOUT = "1s" if LONG else "5s"  # the ordinary form counts failures on machines of any speed
SUSPENDED_S = 30 if LONG else 7  # how long a replica is stopped: a call that waits for it fails
suite = Suite("deploy/restart")
folder = Folder()
DATA = folder / "data"
state = {}


def cell():
    """One cell for all cases: it takes seconds to start."""
    if "cell" not in state:
        envoy_program()
        run("demo-data", "--out", folder / "shop", "--customers", 300, "--items", 200, "--days", 30)
        run("import", "--data", DATA, *sorted((folder / "shop").glob("*.jsonl")))
        run("train", "--data", DATA, "--algorithm", "ials", "--set", "iterations=2")
        state["cell"] = DeployedCell(DATA, folder / "cell",
                                     service_options=["--drain-linger", "1s"])
    return state["cell"]


def load():
    return BackgroundLoad(cell().gateway.target, "--tls-ca", cell().certs / "ca.pem",
                          "--metadata", f"x-api-key={KEYS['operator']}", "--connections", 4,
                          "--customers", 300, rate=RATE, timeout=TIMEOUT)


def until(condition, what, within_s=WAIT_S):
    """Polls: the gateway has no log to wait for. Returns how long it took, in seconds."""
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < within_s, what
        time.sleep(0.02)
    return time.monotonic() - begin


def flags_of(port):
    """What the gateway thinks of the service at that port: 'healthy', '/failed_active_hc' …"""
    for line in cell().gateway.admin("/clusters").splitlines():
        if f"127.0.0.1:{port}::health_flags::" in line:
            return line.rpartition("::")[2]
    return "unknown"


def await_healthy(port):
    until(lambda: flags_of(port) == "healthy", f"the gateway does not use {port} again")


def started_again(role, server):
    """The same role on the port that it had; returns when the gateway uses it, if it is one of
    those that the gateway knows."""
    new = cell().serve(role, server.port)
    if role != "candidate":
        await_healthy(server.port)
    return new


def await_calls(server, n=RATE // 2):
    """Until a replica has answered so many, half of what comes in a second: it takes its part of the
    load again, and what failed over from it before is answered."""
    answered = ('grpc_server_handled_total{grpc_type="unary",grpc_service="vitrine.v1.'
                'RecommendationService",grpc_method="Recommend",grpc_code="OK"}')
    until(lambda: server.metric(answered) >= n, f"{server.port} is not called")


def restart(role, server):
    assert server.stop() == 0
    return started_again(role, server)


def restart_all():
    deployed = cell()
    deployed.profile = restart("profile", deployed.profile)
    deployed.candidate = restart("candidate", deployed.candidate)
    for i, server in enumerate(deployed.rankings):
        deployed.rankings[i] = restart("ranking", server)
        await_calls(deployed.rankings[i])


@suite.test
def a_rolling_restart_of_every_service_fails_no_call():
    with load() as calls:
        for _ in range(ROUNDS):
            restart_all()
    print(f"# {ROUNDS} rounds: {calls}")
    assert calls.failed == 0 and calls.ok == calls.sent > 0, str(calls)


@suite.test
def killing_one_of_two_replicas_fails_no_call():
    with load() as calls:
        for i in range(KILLS):
            victim = cell().rankings[i % 2]
            victim.stop(signal.SIGKILL)
            cell().rankings[i % 2] = started_again("ranking", victim)
            await_calls(cell().rankings[i % 2])
    print(f"# {KILLS} kills: {calls}")
    assert calls.failed <= calls.sent * 0.0001, str(calls)


@suite.test
def a_stopped_replica_is_left_out():
    victim = cell().rankings[0]
    with load() as calls:
        begin = time.monotonic()
        victim.process.send_signal(signal.SIGSTOP)
        try:
            ejected_s = until(lambda: "failed_active_hc" in flags_of(victim.port)
                              or "failed_outlier_check" in flags_of(victim.port), "not ejected")
            until(lambda: time.monotonic() - begin >= SUSPENDED_S, "", within_s=2 * SUSPENDED_S)
        finally:
            victim.process.send_signal(signal.SIGCONT)
        await_healthy(victim.port)
    print(f"# left out after {ejected_s:.2f} s, {SUSPENDED_S} s stopped: {calls}")
    if LONG:
        assert ejected_s <= 1, f"ejected after {ejected_s:.2f} s"
    assert calls.failed <= calls.sent * 0.0005, str(calls)


@suite.test
def a_new_model_fails_no_call():
    before = {run_json("models", "list", "--data", DATA)["current"]}
    with load() as calls:
        run("train", "--data", DATA, "--algorithm", "ials", "--set", "iterations=2",
            "--set", "factors=8", "--no-gate")
        now = run_json("models", "list", "--data", DATA)["current"]
        assert now not in before
        until(lambda: all(server.metric(f'vitrine_model_info{{version="{now}"}}') == 1
                          for server in cell().rankings), "not taken")
        run("models", "rollback", "--data", DATA)
    print(f"# there and back: {calls}")
    assert calls.failed == 0 and calls.ok == calls.sent > 0, str(calls)


try:
    suite.run()
finally:
    if "cell" in state:
        state["cell"].__exit__()
    folder.close()
