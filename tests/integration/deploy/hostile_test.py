#!/usr/bin/env python3
"""Hostile clients against the gateway, with a key that it knows: a bystander notices nothing, the
services do not grow, and afterwards all is as before."""
# Runs alone: a bystander's rate is compared with what it was before.

import os
import pathlib
import re
import socket
import ssl
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
import http2_raw as h2  # noqa: E402
from bystander import Bystander  # noqa: E402
from deployed import KEYS, DeployedCell, envoy_program, sha256  # noqa: E402
from vitrine import WAIT_S, Folder, Suite, run  # noqa: E402

LONG = os.environ.get("VITRINE_TEST_ALL") == "1"
RECOMMEND = "/vitrine.v1.RecommendationService/Recommend"
ASK = {"customerId": "C000001", "n": 5}
RATE = 50  # of the bystander, calls a second
ATTACKERS_RATE = 100
GROWTH_MAX_BYTES = 64 << 20
RECOVERY_S = 5
HOLD_S = 5  # an attack is kept up for so long
CONNECTIONS_MAX = 1500 if LONG else 300  # of this gateway
suite = Suite("deploy/hostile")
folder = Folder()
state = {}


def framed(message):
    """As gRPC puts it into DATA frames."""
    return b"\0" + struct.pack(">I", len(message)) + message


MESSAGE = framed(b"\x12\x07C000001\x28\x05")  # customer_id and n of a RecommendRequest


def many(long, ordinary):
    return long if LONG else ordinary


def cell():
    """One cell for all cases: it takes seconds to start."""
    if "cell" not in state:
        envoy_program()
        data = folder / "data"
        run("demo-data", "--out", folder / "shop", "--customers", 300, "--items", 200, "--days", 30)
        run("import", "--data", data, *sorted((folder / "shop").glob("*.jsonl")))
        run("train", "--data", data, "--algorithm", "ials", "--set", "iterations=2")
        write_keys(folder / "cell" / "gateway" / "keys.txt")
        state["cell"] = DeployedCell(data, folder / "cell",
                                     limits={"connections": CONNECTIONS_MAX})
    return state["cell"]


def write_keys(path):
    """The attackers' key has a rate as keys have in earnest; the bystander's is another."""
    path.parent.mkdir(parents=True)
    path.write_text(f"{sha256(KEYS['storefront'])} storefront attackers {ATTACKERS_RATE}\n"
                    f"{sha256(KEYS['operator'])} operator bystander 100000\n")
    path.chmod(0o600)


def connect(**more):
    return h2.Connection(cell().gateway.port, cell().certs / "ca.pem", **more)


def call_headers(*more):
    return h2.call_headers(RECOMMEND, "localhost", ("x-api-key", KEYS["storefront"]), *more)


# ---- who must not notice ----

def bystander():
    return Bystander(cell().gateway.port, cell().certs / "ca.pem", KEYS["operator"], RATE)


def services():
    return [cell().profile, cell().candidate, *cell().rankings]


def resident_bytes(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M).group(1)) << 10


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def recovered(gateway, open_before):
    """A new caller is served, every replica is in use, the attackers' descriptors are gone."""
    try:
        status, _, _ = gateway.call("/v1/recommend", ASK, role="operator")
    except OSError:
        return False
    return (status == 200 and gateway.is_ready()
            and descriptors(gateway.process.pid) <= open_before + 10)


def held_up(attack):
    """In the long form again and again, so that a rate can be told; returns what the last one says."""
    end = time.monotonic() + (HOLD_S if LONG else 0)
    said = attack()
    while time.monotonic() < end:
        said = attack()
    return said


def hold():
    """Who attacks by sitting there does so for as long as others go on."""
    if LONG:
        time.sleep(HOLD_S)


def survives(attack):
    """Runs an attack beside a bystander and judges what it did; returns what the attack says."""
    gateway = cell().gateway
    gateway.call("/v1/recommend", ASK, role="operator")
    open_before = descriptors(gateway.process.pid)
    held = {server: resident_bytes(server.process.pid) for server in services()}
    with bystander() as other:
        said = held_up(attack)
    ended = time.monotonic()
    while not recovered(gateway, open_before):
        assert gateway.process.poll() is None, "the gateway died"
        assert time.monotonic() - ended < (RECOVERY_S if LONG else WAIT_S), "does not recover"
        time.sleep(0.1)
    print(f"# bystander: {other.asked} calls, {other.rate:.1f}/s, slowest {other.slowest_ms:.0f} ms",
          flush=True)
    assert not other.wrong, f"the bystander: {other.wrong}"
    assert not LONG or other.rate >= 0.9 * RATE, f"{other.rate:.1f} calls/s"
    for server, before in held.items():
        assert server.process.poll() is None, "a service died"
        grown = resident_bytes(server.process.pid) - before
        assert grown <= GROWTH_MAX_BYTES, f"a service grew by {grown >> 20} MiB"
    return said


# ---- attacks ----

def flood(n, make):
    """Sends make(connection) n times, in hundreds, over a new connection when one is cut. Returns
    how often it was cut."""
    sent = cuts = 0
    while sent < n:
        with connect() as wire:
            gone = threading.Event()

            def read(wire=wire, gone=gone):
                for _ in wire.read_frames():
                    pass
                gone.set()
            threading.Thread(target=read, daemon=True).start()
            while sent < n and not gone.is_set() and wire.send(
                    b"".join(make(wire) for _ in range(100))):
                sent += 100
            sent += 100  # those that were on their way when it was cut
            cuts += gone.wait(1)
    return cuts


@suite.test
def rapid_resets_are_cut_off():
    """CVE-2023-44487."""
    def open_and_reset(wire):
        stream = wire.stream()
        return (h2.frame(h2.HEADERS, h2.END_HEADERS, stream, call_headers())
                + h2.frame(h2.RST_STREAM, 0, stream, h2.CANCEL))
    assert survives(lambda: flood(many(20000, 2000), open_and_reset)) > 0, "nobody was cut off"


@suite.test
def headers_without_end_are_cut_off():
    """CVE-2023-33953 and the CONTINUATION floods: 8 MiB of one header block."""
    def attack():
        with connect() as wire:
            wire.send(h2.frame(h2.HEADERS, 0, wire.stream(), call_headers()))
            piece = h2.frame(h2.CONTINUATION, 0, 1, h2.header_block([("x", "y" * 16000)]))
            sent = 0
            while sent < 8 << 20 and wire.send(piece):
                sent += len(piece)
            return sent, [kind for kind, *_ in wire.read_frames()]
    sent, kinds = survives(attack)
    assert sent < 8 << 20 or h2.GOAWAY in kinds or h2.RST_STREAM in kinds, (sent, kinds)


@suite.test
def floods_of_control_frames_are_cut_off_or_cost_nothing():
    n = many(100000, 5000)
    for make in (lambda wire: h2.frame(h2.PING, 0, 0, b"12345678"),
                 lambda wire: h2.frame(h2.SETTINGS, 0, 0,
                                       struct.pack(">HI", h2.INITIAL_WINDOW_SIZE, 65535)),
                 lambda wire: h2.frame(h2.PRIORITY, 0, wire.stream(), struct.pack(">IB", 0, 15))):
        survives(lambda make=make: flood(n, make))


@suite.test
def idle_connections_are_in_nobodys_way():
    def attack():
        crowd = [connect() for _ in range(many(1000, 100))]
        hold()
        for wire in crowd:
            wire.close()
    survives(attack)


@suite.test
def slow_readers_keep_nothing_in_the_services():
    """Their flow-control window is zero: answers stay where they are."""
    def attack():
        crowd = []
        for _ in range(many(100, 10)):
            wire = connect(settings=[(h2.INITIAL_WINDOW_SIZE, 0)])
            for _ in range(50):
                stream = wire.stream()
                wire.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, call_headers())
                          + h2.frame(h2.DATA, h2.END_STREAM, stream, MESSAGE))
            crowd.append(wire)
        for server in services():  # their answers are out: nothing waits in a service
            until_idle(server)
        hold()
        for wire in crowd:
            wire.close()
    survives(attack)


def until_idle(server):
    end = time.monotonic() + WAIT_S
    while server.metric("grpc_server_in_flight") > 20:  # streams of the cell, probes, bystander
        assert time.monotonic() < end, "calls stay in a service"
        time.sleep(0.05)


@suite.test
def slow_writers_wait_at_the_gateway():
    def attack():
        crowd = []
        for _ in range(many(200, 20)):
            wire = connect()
            stream = wire.stream()
            wire.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, call_headers()))
            crowd.append((wire, stream))
        for byte in MESSAGE[:-1]:  # the last one never comes
            for wire, stream in crowd:
                wire.send(h2.frame(h2.DATA, 0, stream, bytes([byte])))
        slow = connect(alpn=None)  # and one of HTTP/1, in the middle of a header
        slow.send(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        hold()
        for wire, _ in crowd:
            wire.close()
        slow.close()
    survives(attack)


@suite.test
def bodies_without_measure_are_refused():
    total = many(100 << 20, 12 << 20)

    def as_json():
        with connect(alpn=None) as wire:
            wire.send(b"POST /v1/recommend HTTP/1.1\r\nHost: localhost\r\ncontent-type: "
                      b"application/json\r\nx-api-key: " + KEYS["storefront"].encode() +
                      f"\r\ncontent-length: {total}\r\n\r\n".encode())
            sent = 0
            while sent < total and wire.send(b" " * (64 << 10)):
                sent += 64 << 10
            try:
                return sent, wire.wire.recv(64)
            except (ssl.SSLError, OSError):
                return sent, b""
    sent, answer = survives(as_json)
    assert sent < total or b" 413 " in answer, (sent, answer)

    def as_grpc():
        with connect() as wire:
            stream, window = wire.stream(), threading.Semaphore(4)
            ended = threading.Event()

            def read():
                for kind, *_ in wire.read_frames():
                    if kind == h2.WINDOW_UPDATE:
                        window.release()
                    if kind in (h2.RST_STREAM, h2.GOAWAY, h2.HEADERS):
                        ended.set()
                ended.set()
            threading.Thread(target=read, daemon=True).start()
            wire.send(h2.frame(h2.HEADERS, h2.END_HEADERS, stream, call_headers())
                      + h2.frame(h2.DATA, 0, stream, b"\0" + struct.pack(">I", total)))
            sent = 0
            while sent < total and not ended.is_set():
                if window.acquire(timeout=0.1) and not wire.send(
                        h2.frame(h2.DATA, 0, stream, bytes(16 << 10))):
                    break
                sent += 16 << 10
            return ended.wait(WAIT_S)
    assert survives(as_grpc), "a message of any size was taken"


@suite.test
def large_headers_are_refused_alone():
    """The call with 16 KB of header fails; another on the same connection does not."""
    def attack():
        for _ in range(many(200, 20)):
            time.sleep(1.5 / ATTACKERS_RATE)  # else the innocent call is one too many of its key
            with connect() as wire:
                bad, good = wire.stream(), wire.stream()
                wire.send(h2.frame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, bad,
                                   call_headers(("x-large", "y" * 16000)))
                          + h2.frame(h2.HEADERS, h2.END_HEADERS, good, call_headers())
                          + h2.frame(h2.DATA, h2.END_STREAM, good, MESSAGE))
                said = []
                for frame in wire.read_frames():
                    said.append(frame)
                    if frame[0] == h2.DATA and frame[2] == good:
                        break
                else:
                    raise AssertionError(f"the innocent call was not answered: {said}")
    survives(attack)


@suite.test
def more_connections_than_allowed_are_refused_and_go():
    """Descriptors: the gateway's cap is far below its limit of them; whoever is in stays in."""
    def attack():
        crowd = []
        for _ in range(2 * CONNECTIONS_MAX):
            try:
                crowd.append(socket.create_connection(("127.0.0.1", cell().gateway.port), 10))
            except OSError:
                break
        taken = descriptors(cell().gateway.process.pid)
        for wire in crowd:
            wire.close()
        return taken
    assert survives(attack) < CONNECTIONS_MAX + 200


try:
    suite.run()
finally:
    if "cell" in state:
        state["cell"].__exit__()
    folder.close()
