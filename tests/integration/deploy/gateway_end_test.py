#!/usr/bin/env python3
"""One of two gateways ends under load: a client that knows both, and repeats nothing, loses no call.
And what vitrine-gateway does with an Envoy that ends by itself, or that cannot be asked."""

import json
import os
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from deployed import KEYS, DeployedCell, Gateway, envoy_program  # noqa: E402
from tools import venv_python  # noqa: E402
from vitrine import WAIT_S, Folder, Suite, bin_dir, run  # noqa: E402

ROUNDS = 10 if os.environ.get("VITRINE_TEST_ALL") == "1" else 1
KEEPER = str(bin_dir() / "vitrine-gateway")
KEPT = ["--linger", "500ms", "--grace", "1s"]
suite = Suite("deploy/gateway_end")
folder = Folder()

# Calls over both gateways in turn until its input ends, then says how many went how. A byte on its
# output says that both were called. Without a retry policy gRPC repeats only what no server has seen.
CLIENT = """
import collections, json, sys, threading, grpc
addresses, authority, key = sys.argv[1:]
channel = grpc.secure_channel('ipv4:' + addresses, grpc.ssl_channel_credentials(
    open(authority, 'rb').read()), [('grpc.ssl_target_name_override', 'localhost'),
    ('grpc.lb_policy_name', 'round_robin')])
call = channel.unary_unary('/vitrine.v1.RecommendationService/Recommend')
ended, results = threading.Event(), collections.Counter()
both = threading.Barrier(4 + 1)
def work(visitor):
    waits = True
    while not ended.is_set():
        try:
            call.with_call(visitor, metadata=(('x-api-key', key),), timeout=20)
            results['ok'] += 1
        except grpc.RpcError as error:
            results[error.code().name + ': ' + error.details()] += 1
        if waits and results['ok'] > 50:
            waits = False
            both.wait()
threads = [threading.Thread(target=work, args=(bytes([26, 2, 118, 48 + i, 40, 3]),))
           for i in range(4)]
for thread in threads: thread.start()
both.wait()
print('both', flush=True)
sys.stdin.read()
ended.set()
for thread in threads: thread.join()
print(json.dumps(results))
"""


def cell():
    envoy_program()
    run("demo-data", "--out", folder / "shop", "--customers", 200, "--items", 150, "--days", 20)
    run("import", "--data", folder / "data", *sorted((folder / "shop").glob("*.jsonl")))
    return DeployedCell(folder / "data", folder / "cell", rankings=1, kept=KEPT)


def calls_of(gateway):
    """How many requests an Envoy has taken since its start."""
    counted = gateway.admin("/stats?filter=^http.outside.downstream_rq_total$")
    return int(counted.rpartition(":")[2])


@suite.test
def callers_of_two_gateways_lose_no_call_when_one_ends():
    python = venv_python()
    with cell() as deployed:
        first = deployed.gateway
        second = Gateway(folder / "second", deployed.certs, [deployed.rankings[0].target],
                         [deployed.profile.target])
        client = subprocess.Popen(
            [python, "-c", CLIENT, f"127.0.0.1:{first.port},127.0.0.1:{second.port}",
             deployed.certs / "ca.pem", KEYS["operator"]], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        try:
            assert client.stdout.readline() == "both\n"
            end_and_start(first, second)
            said, _ = client.communicate(timeout=2 * WAIT_S)
        finally:
            client.kill()
            second.stop()
    results = json.loads(said)
    assert set(results) == {"ok"} and results["ok"] > 50, results


def admin_of(gateway):
    return "--admin", f"127.0.0.1:{gateway.admin_port}"


def end_and_start(first, second):
    for _ in range(ROUNDS):
        assert calls_of(first) > 0 and calls_of(second) > 0
        keep("--health", *admin_of(first), status=0)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(WAIT_S) == 0, first.errors_path.read_text()
        assert '"event":"gateway_draining"' in first.errors_path.read_text()
        assert "refused" in keep("--health", *admin_of(first), status=1)
        before = calls_of(second)
        first.start()
        while calls_of(first) == 0 or calls_of(second) == before:
            pass  # the client comes back by itself


def keep(*command, status):
    done = subprocess.run([KEEPER, *command], capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == status, (command, done.returncode, done.stderr)
    return done.stderr


@suite.test
def the_keeper_ends_as_its_program_does():
    keep("--", "sh", "-c", "exit 7", status=7)
    keep("--", "sh", "-c", "kill -KILL $$", status=128 + signal.SIGKILL)
    assert "no-such-program" in keep("--", "no-such-program", status=127)
    assert "PROGRAM" in keep(status=2)


@suite.test
def a_program_that_cannot_be_asked_is_ended_at_once():
    for admin, why in (("127.0.0.1:1", "refused"), ("localhost:1", "no numeric HOST:PORT")):
        keeper = subprocess.Popen([KEEPER, "--admin", admin, "--", "sh", "-c",
                                   "echo started; exec sleep 100"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        assert keeper.stdout.readline() == "started\n"
        keeper.terminate()
        _, errors = keeper.communicate(timeout=WAIT_S)
        assert keeper.returncode == 128 + signal.SIGTERM and why in errors, errors


try:
    suite.run()
finally:
    folder.close()
