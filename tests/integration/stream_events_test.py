#!/usr/bin/env python3
"""StreamEvents from a client that nobody here wrote (grpcio): streams that break at random places
and are taken up again, and a server that stops."""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from tools import venv_python  # noqa: E402
from vitrine import ROOT, Folder, Server, Suite  # noqa: E402

suite = Suite("stream_events")
folder = Folder()
ALL = os.environ.get("VITRINE_TEST_ALL") == "1"

# Runs in the venv's Python: stubs, target, what to do, how many messages of how many events.
CLIENT = r'''
import json, random, sys, threading
sys.path.insert(0, sys.argv[1])
import grpc
from vitrine.v1 import event_pb2, event_pb2_grpc
target, act, n_messages, n_events = sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
stub = event_pb2_grpc.EventServiceStub(grpc.insecure_channel(target))
rng = random.Random(7)

def message(i):
    request = event_pb2.StreamEventsRequest(sequence=i + 1)
    for j in range(n_events):
        event = request.events.add(event_id=f"{i}-{j}", type=3, customer_id=f"c{j % 50}",
                                   item_id=f"i{(i * 7 + j) % 300}")
        event.time.seconds = 1700000000 + i
    return request

messages = [message(i) for i in range(n_messages)]
acknowledged, counts, breaks, code = 0, [0, 0, 0, 0], 0, "OK"

def stream(break_after):
    """Sends what is not acknowledged; True when the stream ended by itself."""
    global acknowledged, code
    call = stub.StreamEvents(iter(messages[acknowledged:]), timeout=60)
    try:
        for n, response in enumerate(call):
            for result in response.messages:
                assert result.sequence == acknowledged + 1, (result.sequence, acknowledged)
                assert len(result.results) == n_events
                acknowledged = result.sequence
                for one in result.results:
                    counts[one.outcome] += 1
            assert response.acknowledged_sequence == acknowledged
            if n == break_after:
                call.cancel()
                return False
        code = call.code().name
    except grpc.RpcError as error:
        code = error.code().name
    return True

def and_no_end():
    yield from messages
    threading.Event().wait(30)

if act == "resume":
    while acknowledged < n_messages:
        breaks += not stream(rng.randrange(4) if breaks < 30 else None)
elif act == "wait":  # stays open until the server ends it
    call = stub.StreamEvents(and_no_end(), timeout=60)
    try:
        for response in call:
            acknowledged = response.acknowledged_sequence
            print(json.dumps({"acknowledged": acknowledged}), flush=True)
    except grpc.RpcError as error:
        code = error.code().name
print(json.dumps({"acknowledged": acknowledged, "counts": counts, "breaks": breaks, "code": code}))
'''


def stubs():
    out = folder / "stubs"
    if not out.exists():
        out.mkdir()
        proto = ROOT / "proto"
        files = sorted(str(path) for path in (proto / "vitrine" / "v1").glob("*.proto"))
        subprocess.run([venv_python(), "-m", "grpc_tools.protoc", f"-I{proto}",
                        f"--python_out={out}", f"--grpc_python_out={out}", *files],
                       capture_output=True, check=True, timeout=120)
    return out


def client(server, act, n_messages, n_events):
    return subprocess.Popen([venv_python(), "-c", CLIENT, str(stubs()), server.target, act,
                             str(n_messages), str(n_events)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def outcome(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def metric(server, name):
    text = urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics", timeout=10).read().decode()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@suite.test
def events_of_a_stream_that_breaks_are_written_once_each():
    n_messages, n_events = (500, 200) if ALL else (200, 100)
    with Server(folder / "resume", http=True) as server:
        said = outcome(client(server, "resume", n_messages, n_events))
        total = n_messages * n_events
        assert said["acknowledged"] == n_messages, said
        assert said["breaks"] > 5 and said["counts"][3] == 0, said
        assert said["counts"][1] + said["counts"][2] == total, said
        assert metric(server, 'vitrine_events_total{outcome="accepted"}') == total
        assert metric(server, "vitrine_event_stream_unacknowledged_messages") == 0
        assert metric(server, "vitrine_event_streams ") == 0


@suite.test
def a_server_that_stops_acknowledges_what_it_took_and_says_unavailable():
    with Server(folder / "drain") as server:
        process = client(server, "wait", 20, 100)
        while json.loads(process.stdout.readline())["acknowledged"] < 20:
            pass
        server.stop()
        said = outcome(process)
    assert said["acknowledged"] == 20 and said["code"] == "UNAVAILABLE", said


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
