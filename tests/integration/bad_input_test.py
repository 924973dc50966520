#!/usr/bin/env python3
"""Every bad input gets a clear error, and nothing is lost: one table for each way in.

Requests are protobuf bytes that no client library would let out, sent by curl over HTTP/2; files
and operating mistakes go through the program. Each row names what is wrong, what is given, how it
must be answered and the words that must stand in the answer: what, where, what to do.
"""

import gzip
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Skip, Suite, run, run_json  # noqa: E402

suite = Suite("bad_input")
folder = Folder()
DATA, SHOP = folder / "data", folder / "shop"
NOW = int(time.time())
INVALID, NOT_FOUND, DENIED, EXHAUSTED, PRECONDITION, UNIMPLEMENTED = 3, 5, 7, 8, 9, 12

# ---- protobuf by hand ----


def varint(number):
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, value):
    """One field: int → varint, float → double, str and bytes → length-delimited."""
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*pairs):
    return b"".join(field(number, value) for number, value in pairs)


def event(**changed):
    """A good event but for what is changed; None leaves a field out."""
    numbers = {"event_id": 1, "type": 2, "customer_id": 3, "visitor_id": 4, "item_id": 5,
               "time": 6, "channel": 7, "quantity": 8, "revenue": 9, "cost": 10,
               "currency_code": 11, "value": 12, "query": 13, "attribution_token": 14}
    good = {"event_id": "bad-input", "type": 3, "customer_id": "judge", "item_id": "KI00-00001",
            "time": message((1, NOW))}
    return field(1, message(*((numbers[name], value) for name, value in {**good, **changed}.items()
                              if value is not None)))


def item(**changed):
    numbers = {"id": 1, "title": 2, "categories": 3, "brand": 4, "price": 5, "currency_code": 6,
               "stock": 7, "available_from": 8, "available_until": 9, "attributes": 10,
               "image_uri": 11, "uri": 12, "cost": 13}
    pairs = []
    for name, value in {"id": "bad-input", **changed}.items():
        for one in value if isinstance(value, list) else [value]:
            pairs.append((numbers[name], one))
    return field(1, message(*pairs))


def seconds(number):
    return message((1, number))


# ---- a gRPC call by curl ----


def call(server, path, body, *headers):
    """Sends the bytes as one gRPC message (None: none at all, since curl does not wait for an
    answer that comes before it has sent). Returns (grpc-status, grpc-message, reply bytes)."""
    sent, got, trailers = folder / "sent", folder / "got", folder / "trailers"
    sent.write_bytes(b"" if body is None else struct.pack(">BI", 0, len(body)) + body)
    command = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "20", "-D", str(trailers),
               "-o", str(got), "-H", "content-type: application/grpc", "-H", "te: trailers",
               "--data-binary", f"@{sent}"]
    for header in headers:
        command += ["-H", header]
    got.write_bytes(b"")
    done = subprocess.run(command + [f"http://{server.target}/{path}"], capture_output=True,
                          text=True, timeout=60)
    lines = trailers.read_text().splitlines() if trailers.exists() else []
    found = dict(line.split(": ", 1) for line in lines if ": " in line)
    assert "grpc-status" in found, f"{path}: no grpc-status: {done.stderr}{lines}"
    said = urllib.parse.unquote(found.get("grpc-message", ""))
    return int(found["grpc-status"]), said, got.read_bytes()[5:]


def require_words(label, said, words):
    for word in words:
        assert word in said, f"{label}: '{word}' is not in: {said}"


def walk(server, table):
    """All rows are tried; the failures come out together."""
    wrong = []
    for path, label, body, status, *words in table:
        got, said, _ = call(server, path, body)
        try:
            assert got == status, f"{path} {label}: status {got}, not {status}: {said}"
            require_words(f"{path} {label}", said, words)
        except AssertionError as failure:
            wrong.append(str(failure))
    assert not wrong, "\n".join(wrong)


RECOMMEND = "vitrine.v1.RecommendationService/Recommend"
RANK = "vitrine.v1.RecommendationService/Rank"
SIMILAR = "vitrine.v1.RecommendationService/SimilarItems"
WRITE_EVENTS = "vitrine.v1.EventService/WriteEvents"
GET_PROFILE = "vitrine.v1.ProfileService/GetProfile"
BATCH_GET = "vitrine.v1.ProfileService/BatchGetProfiles"
UPSERT_CUSTOMERS = "vitrine.v1.ProfileService/UpsertCustomers"
LIST_CUSTOMERS = "vitrine.v1.ProfileService/ListCustomers"
LIST_OUTCOMES = "vitrine.v1.ProfileService/ListOutcomes"
UPSERT_ITEMS = "vitrine.v1.CatalogService/UpsertItems"
GET_ITEMS = "vitrine.v1.CatalogService/GetItems"
LIST_ITEMS = "vitrine.v1.CatalogService/ListItems"
DELETE_ITEMS = "vitrine.v1.CatalogService/DeleteItems"
CANDIDATES = "vitrine.v1.CandidateService/GetCandidates"
ACTIVATE = "vitrine.v1.ModelService/Activate"
LIST_VERSIONS = "vitrine.v1.ModelService/ListVersions"
ONE = message((5, 1))  # a Recommend of one item
MASK_PRICE = field(2, message((1, "price")))

# Where strings stand: (path, what comes before, the way down to the field, its name in messages).
TEXTS = [
    (RECOMMEND, ONE, (1,), "placement"), (RECOMMEND, ONE, (2,), "customer_id"),
    (RECOMMEND, ONE, (3,), "visitor_id"), (RECOMMEND, ONE, (4,), "context_item_ids[0]"),
    (RECOMMEND, ONE, (6,), "exclude_item_ids[0]"), (RECOMMEND, ONE, (7,), "filter"),
    (RANK, b"", (1,), "customer_id"), (RANK, b"", (2,), "visitor_id"),
    (RANK, b"", (3,), "item_ids[0]"), (RANK, b"", (4,), "context_item_ids[0]"),
    (RANK, b"", (7,), "placement"), (RANK, b"", (9,), "filter"),
    (SIMILAR, b"", (1,), "item_ids[0]"), (SIMILAR, b"", (3,), "exclude_item_ids[0]"),
    (SIMILAR, b"", (4,), "filter"), (SIMILAR, b"", (7,), "placement"),
    (GET_PROFILE, b"", (1,), "customer_id"), (GET_PROFILE, b"", (2,), "visitor_id"),
    (BATCH_GET, b"", (1, 1), "requests[0].customer_id"),
    (BATCH_GET, b"", (1, 2), "requests[0].visitor_id"),
    (UPSERT_CUSTOMERS, b"", (1, 1), "customers[0].id"),
    (UPSERT_CUSTOMERS, b"", (1, 3, 1), "customers[0].attributes[0].key"),
    (UPSERT_CUSTOMERS, b"", (1, 3, 2), "customers[0].attributes[0].value"),
    (LIST_CUSTOMERS, b"", (2,), "page_token"),
    (LIST_OUTCOMES, field(1, 7), (2,), "attribution_token"),
    *((UPSERT_ITEMS, b"", (1, number), f"items[0].{name}") for number, name in (
        (1, "id"), (2, "title"), (3, "categories[0]"), (4, "brand"), (6, "currency_code"),
        (11, "image_uri"), (12, "uri"))),
    (UPSERT_ITEMS, b"", (1, 10, 1), "items[0].attributes[0].key"),
    (UPSERT_ITEMS, b"", (1, 10, 2), "items[0].attributes[0].value"),
    (UPSERT_ITEMS, b"", (2, 1), "update_mask.paths[0]"),
    (GET_ITEMS, b"", (1,), "ids[0]"), (LIST_ITEMS, b"", (2,), "page_token"),
    (LIST_ITEMS, b"", (3,), "filter"), (DELETE_ITEMS, b"", (1,), "ids[0]"),
    *((WRITE_EVENTS, b"", (1, number), f"events[0].{name}") for number, name in (
        (1, "event_id"), (3, "customer_id"), (4, "visitor_id"), (5, "item_id"), (7, "channel"),
        (11, "currency_code"), (13, "query"), (14, "attribution_token"))),
    (CANDIDATES, b"", (5,), "model_version"), (CANDIDATES, b"", (6,), "filter"),
    (ACTIVATE, b"", (1,), "version"), (LIST_VERSIONS, b"", (2,), "page_token"),
]
NO_TEXTS = {"NUL": (b"ab\0cd", "NUL"), "a stray byte": (b"ab\xffcd", "UTF-8"),
            "an overlong form": (b"\xc0\xaf", "UTF-8"), "a surrogate": (b"\xed\xa0\x80", "UTF-8"),
            "a cut character": (b"ab\xe2\x82", "UTF-8")}


def nested(way, value):
    for number in reversed(way):
        value = field(number, value)
    return value


@suite.test
def a_storefront_to_be_wrong_with():
    run("demo-data", "--out", SHOP, "--customers", "300", "--items", "120", "--days", "20")
    run("import", "--data", DATA, *sorted(SHOP.glob("*.jsonl")))
    run("train", "--data", DATA, "--set", "factors=8")


@suite.test
def nul_and_broken_utf8_are_refused_in_every_string_field_by_name():
    with Server(DATA) as server:
        walk(server, [(path, f"{name} with {what}", before + nested(way, value), INVALID, name,
                       word)
                      for path, before, way, name in TEXTS
                      for what, (value, word) in NO_TEXTS.items()])


@suite.test
def ids_and_numbers_out_of_their_limits_are_refused_with_the_limit():
    long = "x" * 129
    ids = {"empty": ("", "1 to 128"), "129 bytes": (long, "at most 128")}
    rows = []
    for path, before, way, name in (
            (RECOMMEND, ONE, (4,), "context_item_ids[0]"), (RANK, b"", (3,), "item_ids[0]"),
            (SIMILAR, field(2, 1), (1,), "item_ids[0]"), (GET_ITEMS, b"", (1,), "ids[0]"),
            (DELETE_ITEMS, b"", (1,), "ids[0]"), (UPSERT_ITEMS, b"", (1, 1), "items[0].id"),
            (UPSERT_CUSTOMERS, b"", (1, 1), "customers[0].id")):
        rows += [(path, f"{name} {what}", before + nested(way, value), INVALID, name, limit)
                 for what, (value, limit) in ids.items()]
    rows += [
        (RECOMMEND, "customer_id 129", ONE + field(2, long), INVALID, "customer_id", "128"),
        (RECOMMEND, "visitor_id 129", ONE + field(3, long), INVALID, "visitor_id", "128"),
        (RECOMMEND, "placement 129", ONE + field(1, long), INVALID, "placement", "128"),
        (RECOMMEND, "n 0", b"", INVALID, "n:", "1 to 200"),
        (RECOMMEND, "n 201", field(5, 201), INVALID, "n:", "1 to 200"),
        (RECOMMEND, "n -1", field(5, -1), INVALID, "n:", "1 to 200"),
        (RECOMMEND, "diversity 9", ONE + field(8, 9), INVALID, "diversity", "0 to 4"),
        (RECOMMEND, "101 context", ONE + field(4, "a") * 101, INVALID, "context_item_ids", "100"),
        (RECOMMEND, "1001 exclude", ONE + field(6, "a") * 1001, INVALID, "exclude_item_ids",
         "1000"),
        (RECOMMEND, "a wrong filter", ONE + field(7, "stock > 0 and pricee < 5"), INVALID, "filter",
         "at 15, did you mean 'price'?"),
        (RECOMMEND, "a long filter", ONE + field(7, "x" * 2049), INVALID, "filter", "at most 2048"),
        (RANK, "a wrong filter", field(3, "a") + field(9, "price < "), INVALID, "filter", "at 9"),
        (SIMILAR, "a wrong filter", field(1, "a") + field(2, 1) + field(4, "brand = x"), INVALID,
         "filter", "quotes"),
        (CANDIDATES, "a wrong filter", field(4, 1) + field(6, "price == 3"), INVALID, "filter",
         "did you mean '='"),
        (RANK, "no items", b"", INVALID, "item_ids", "1 to 1000"),
        (RANK, "1001 items", field(3, "a") * 1001, INVALID, "item_ids", "1000"),
        (SIMILAR, "no items", field(2, 1), INVALID, "item_ids", "1 to 100"),
        (SIMILAR, "101 items", field(2, 1) + field(1, "a") * 101, INVALID, "item_ids", "100"),
        (SIMILAR, "n 0", field(1, "a"), INVALID, "n:", "1 to 200"),
        (SIMILAR, "unknown", field(2, 1) + field(1, "nobody"), NOT_FOUND, "item_ids", "nobody"),
        (GET_PROFILE, "nobody", b"", INVALID, "customer_id", "visitor_id"),
        (GET_PROFILE, "201 events", message((1, "a"), (3, 201)), INVALID, "max_events", "200"),
        (BATCH_GET, "none", b"", INVALID, "requests", "1 to 100"),
        (BATCH_GET, "101", field(1, field(1, "a")) * 101, INVALID, "requests", "100"),
        (UPSERT_CUSTOMERS, "none", b"", INVALID, "customers", "1 to 1000"),
        (UPSERT_CUSTOMERS, "1001", field(1, field(1, "a")) * 1001, INVALID, "customers", "1000"),
        (UPSERT_CUSTOMERS, "consent 7", field(1, message((1, "a"), (2, 7))), INVALID,
         "customers[0].consent", "0 to 2"),
        (LIST_CUSTOMERS, "1001 a page", field(1, 1001), INVALID, "page_size", "1000"),
        (LIST_CUSTOMERS, "a made-up token", field(2, "AAAA"), INVALID, "page_token",
         "next_page_token"),
        (LIST_OUTCOMES, "whose", field(2, "token"), INVALID, "customer_number", "missing"),
        (LIST_OUTCOMES, "no token", field(1, 7), INVALID, "attribution_token", "empty"),
        (LIST_OUTCOMES, "before the calendar", field(1, 7) + field(2, "t") +
         field(3, field(1, -1 << 60)), INVALID, "since_time", "year"),
        (LIST_ITEMS, "1001 a page", field(1, 1001), INVALID, "page_size", "1000"),
        (LIST_ITEMS, "a made-up token", field(2, "AAAA"), INVALID, "page_token",
         "next_page_token"),
        (LIST_VERSIONS, "a made-up token", field(2, "AAAA"), INVALID, "page_token",
         "next_page_token"),
        (GET_ITEMS, "none", b"", INVALID, "ids", "1 to 1000"),
        (GET_ITEMS, "1001", field(1, "a") * 1001, INVALID, "ids", "1000"),
        (DELETE_ITEMS, "none", b"", INVALID, "ids", "1 to 1000"),
        (UPSERT_ITEMS, "none", b"", INVALID, "items", "1 to 1000"),
        (UPSERT_ITEMS, "1001", item() * 1001, INVALID, "items", "1000"),
        (UPSERT_ITEMS, "price -1", item(price=-1.0), INVALID, "items[0].price", "at least 0"),
        (UPSERT_ITEMS, "price NaN", item(price=math.nan), INVALID, "items[0].price", "finite"),
        (UPSERT_ITEMS, "price inf", item(price=math.inf), INVALID, "items[0].price", "finite"),
        (UPSERT_ITEMS, "price 1e300", item(price=1e300), INVALID, "items[0].price", "1e+12"),
        (UPSERT_ITEMS, "cost NaN", item(cost=math.nan), INVALID, "items[0].cost", "finite"),
        (UPSERT_ITEMS, "stock -2", item(stock=-2), INVALID, "items[0].stock", "-1"),
        (UPSERT_ITEMS, "title 1025", item(title="t" * 1025), INVALID, "items[0].title", "1024"),
        (UPSERT_ITEMS, "9 categories", item(categories=["c"] * 9), INVALID,
         "items[0].categories", "8"),
        (UPSERT_ITEMS, "65 attributes",
         item(attributes=[message((1, f"k{i}"), (2, "v")) for i in range(65)]), INVALID,
         "items[0].attributes", "64"),
        (UPSERT_ITEMS, "currency euro", item(currency_code="euro"), INVALID,
         "items[0].currency_code", "EUR"),
        (UPSERT_ITEMS, "over before it begins",
         item(available_from=seconds(NOW), available_until=seconds(NOW - 1)), INVALID,
         "items[0].available_until", "available_from"),
        (UPSERT_ITEMS, "misspelt mask", item() + field(2, field(1, "prise")), INVALID,
         "update_mask.paths[0]", "'price'"),
        (UPSERT_ITEMS, "mask of an unknown item", item() + MASK_PRICE, NOT_FOUND, "items[0].id",
         "whole entry"),
        (UPSERT_ITEMS, "the same, validate_only", item() + MASK_PRICE + field(3, 1), NOT_FOUND,
         "items[0].id", "whole entry"),
        (CANDIDATES, "n 2001", field(4, 2001), INVALID, "n:", "2000"),
        (CANDIDATES, "another version", message((4, 1), (5, "no-such")), PRECONDITION,
         "model_version", "no-such"),
        (ACTIVATE, "a path", field(1, "../../etc/passwd"), INVALID, "version", "ListVersions"),
        (ACTIVATE, "unknown", field(1, "no-such"), NOT_FOUND, "no-such"),
        ("vitrine.v1.AdminService/Checkpoint", "over the network", field(1, "/tmp/x"), DENIED,
         "admin.sock"),
    ]
    with Server(DATA) as server:
        walk(server, rows)


def call_compressed(server):
    """The library refuses before it has read everything and resets the stream; curl then sometimes
    drops the status that came first. Its connection is asked again until the status is seen."""
    for _ in range(20):
        try:
            status, said, _ = call(server, RECOMMEND, gzip.compress(ONE), "grpc-encoding: gzip")
            return status, said
        except AssertionError as error:
            assert "Stream error" in str(error), error
    raise AssertionError("no status in 20 calls")


@suite.test
def what_is_no_request_is_refused_by_what_is_wrong_with_it():
    rows = [
        (RECOMMEND, "truncated", b"\x12\x7fabc", INVALID, "customer_id", "truncated"),
        (RECOMMEND, "an endless number", b"\x28" + b"\xff" * 11, INVALID, "n:", "number"),
        (RECOMMEND, "no protobuf", bytes(range(256)), INVALID, "not a protobuf message"),
        (RECOMMEND, "another type", field(5, "five"), INVALID, "n:", "rebuild the client"),
        (RECOMMEND, "groups", b"\x13" * 5000, INVALID, "customer_id"),
        (WRITE_EVENTS, "a million empty events", b"\x0a\0" * 1000000, EXHAUSTED, "smaller"),
        (GET_PROFILE, "9 KiB", field(1, "x" * 9000), EXHAUSTED, "9003 bytes", "at most 8192"),
        (WRITE_EVENTS, "5 MiB", event(query="q" * (5 << 20)), EXHAUSTED, "larger than max"),
        ("vitrine.v1.RecommendationService/Nothing", "no such method", None, UNIMPLEMENTED,
         "no such method", "reflection"),
        ("No/Service", "no such service", None, UNIMPLEMENTED, "no such method", "reflection"),
        ("vitrine.v1.RecommendationService/Explain", "no token", b"", INVALID,
         "attribution_token: missing"),
        ("vitrine.v1.RecommendationService/Explain", "a forged token", field(1, "A" * 120), INVALID,
         "not an attribution token of this cell"),
    ]
    with Server(DATA) as server:
        walk(server, rows)
        status, said, _ = call(server, RECOMMEND, ONE, "x-large: " + "y" * 30000)
        assert status == 0, f"30 kB of metadata: {status} {said}"
        status, said = call_compressed(server)
        assert status in (0, UNIMPLEMENTED), f"gzip: {status} {said}"
        assert call(server, RECOMMEND, ONE)[0] == 0, "a good request after all the bad ones"


@suite.test
def one_bad_event_is_rejected_by_field_and_the_others_are_kept():
    rows = [
        ("event_id", {"event_id": ""}, "1 to 128"), ("event_id", {"event_id": "x" * 129}, "128"),
        ("type", {"type": 0}, "event type"), ("type", {"type": 99}, "unknown"),
        ("customer_id", {"customer_id": None}, "visitor_id"),
        ("customer_id", {"customer_id": "x" * 129}, "at most 128"),
        ("item_id", {"item_id": None}, "1 to 128"), ("item_id", {"item_id": "x" * 129}, "128"),
        ("time", {"time": None}, "2000-01-01"),
        ("time", {"time": seconds(946684799)}, "2000-01-01"),
        ("time", {"time": seconds(NOW + 2 * 86400)}, "24 h"),
        ("time", {"time": seconds(1 << 62)}, "9999"),
        ("time", {"time": message((1, NOW), (2, -1))}, "nanos"),
        ("quantity", {"quantity": -1.0}, "at least 0"),
        ("quantity", {"quantity": 1e308}, "at most 1e+12"),
        ("quantity", {"quantity": math.nan}, "finite"), ("revenue", {"revenue": -0.5}, "negative"),
        ("revenue", {"revenue": math.inf}, "finite"), ("cost", {"cost": math.nan}, "finite"),
        ("value", {"type": 8, "value": 11.0}, "0 to 10"), ("value", {"value": math.nan}, "finite"),
        ("currency_code", {"currency_code": "eur"}, "EUR"),
        ("channel", {"channel": "c" * 129}, "at most 128"),
        ("query", {"query": "q" * 1025}, "at most 1024"),
        ("attribution_token", {"attribution_token": "t" * 1025}, "at most 1024"),
    ]
    good = [event(event_id=f"kept-{number}", customer_id="kept", time=seconds(NOW - number))
            for number in range(2)]
    with Server(DATA) as server:
        for name, changed, words in rows:
            bad = event(**{"event_id": f"never-{name}", "customer_id": "kept", **changed})
            status, said, reply = call(server, WRITE_EVENTS, good[0] + bad + good[1])
            assert status == 0, f"{changed}: {status} {said}"
            text = reply.decode("utf-8", "replace")
            assert name in text and words in text, f"{changed}: {text!r}"
        kept = server.ask("profile", "--customer", "kept")
        assert len(kept["events"]) == 2, "the good events, once, and none of the bad ones"
        for label, body, limit in (("none", b"", "1 to 1000"),
                                   ("1001", event(query="x") * 1001, "1000")):
            status, said, _ = call(server, WRITE_EVENTS, body)
            assert status == INVALID and limit in said, f"{label}: {status} {said}"


@suite.test
def batches_and_pages_at_their_limit_are_served():
    attributes = [message((1, f"key-{i}"), (2, "v" * 40)) for i in range(10)]
    items = [item(id=f"full-{i}", title="t" * 200, price=1.0, stock=0, attributes=attributes)
             for i in range(1000)]
    with Server(DATA) as server:
        def served(path, label, body):
            status, said, reply = call(server, path, body)
            assert status == 0, f"{path} {label}: {status} {said}"
            return reply
        served(UPSERT_ITEMS, "1000 items", b"".join(items))
        reply = served(GET_ITEMS, "1000 ids", b"".join(field(1, f"full-{i}") for i in range(1000)))
        assert reply.count(b"full-") == 1000
        served(UPSERT_CUSTOMERS, "1000 customers",
               b"".join(field(1, message((1, f"full-{i}"), *((3, one) for one in attributes)))
                        for i in range(1000)))
        served(LIST_CUSTOMERS, "1000 a page", field(1, 1000))
        served(WRITE_EVENTS, "1000 events",
               b"".join(event(event_id=f"full-{i}", customer_id="full", query="q" * 1024,
                              time=seconds(NOW - i)) for i in range(1000)))
        served(BATCH_GET, "100 of 200 events", field(1, message((1, "full"), (3, 200))) * 100)
        seen, token = set(), b""
        for _ in range(10):
            reply = served(LIST_ITEMS, "1000 a page", field(1, 1000) + token)
            assert len(reply) < 4 << 20, "more than clients take"
            seen.update(f"full-{i}" for i in range(1000) if f"full-{i}\x12".encode() in reply)
            token = next_page(reply)
            if not token:
                break
        assert len(seen) == 1000 and not token, f"{len(seen)} of 1000 listed"


def next_page(reply):
    """field 2 of a ListItemsResponse as field 2 of the next request; empty on the last page."""
    at = 0
    while at < len(reply):
        tag, length, shift = reply[at], 0, 0
        at += 1
        while True:
            length |= (reply[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if reply[at - 1] < 0x80:
                break
        if tag == 0x12:
            return field(2, reply[at:at + length])
        at += length
    return b""


# ---- files ----


def write(name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@suite.test
def bad_files_are_told_by_name_and_leave_the_store_as_it_was():
    events = (SHOP / "events.jsonl").read_bytes()
    packed = gzip.compress(events)
    (folder / "a-folder").mkdir()
    rows = [
        # name, format, content (None: not written), exit status, words
        ("missing.jsonl", None, None, 1, ("missing.jsonl", "No such file")),
        ("empty.csv", "csv", b"", 1, ("empty.csv", "empty")),
        ("empty.jsonl", "jsonl", b"", 1, ("empty.jsonl", "empty")),
        ("wrong.csv", "csv", "alpha,beta\n1,2\n", 1, ("wrong.csv", "--map")),
        ("wrong.txt", "online-retail", "alpha,beta\n1,2\n", 1, ("wrong.txt",)),
        ("binary.jsonl", "jsonl", bytes(range(256)) * 64, 1, ("binary.jsonl",)),
        ("binary.csv", "csv", bytes(range(256)) * 64, 1, ("binary.csv",)),
        ("utf16.csv", "csv", "customer_id,item_id,time\n1,2,3\n".encode("utf-16"), 1,
         ("utf16.csv", "UTF-16")),
        ("longline.jsonl", "jsonl", b'{"event_id":"' + b"x" * (10 << 20) + b'"}\n', 1,
         ("longline.jsonl", "line 1", "1 MiB")),
        ("cut.jsonl.gz", "jsonl", packed[:len(packed) // 2], 1, ("cut.jsonl.gz", "cut off", "nothing was written")),
        ("nogzip.jsonl.gz", "jsonl", b"this is no gzip at all, though it is named so", 1,
         ("nogzip.jsonl.gz", "not one of 1 rows", "--format")),
        ("nothing.ratings", "movielens", b"not::four\n", 1, ("nothing.ratings",)),
        ("words.adj", "adjacency", b"one two three\n", 1, ("words.adj", "line 1")),
    ]
    wrong = []
    with Folder() as fresh:
        for name, kind, content, status, words in rows:
            if content is not None:
                write(name, content)
            done = run("import", "--data", fresh / "data", *(("--format", kind) if kind else ()),
                       folder / name, status=None, timeout=60)
            said = done.stderr + done.stdout
            missing = [word for word in words if word not in said]
            if done.returncode != status or missing:
                wrong.append(f"{name}: exit {done.returncode}, without {missing}: {said[-600:]}")
        assert not wrong, "\n".join(wrong)
        lines = (SHOP / "items.jsonl").read_bytes().splitlines(keepends=True)[:2]
        long = b'{"id":"' + b"x" * (10 << 20) + b'"}\n'
        report = run_json("import", "--data", fresh / "data",
                          write("items.jsonl", lines[0] + long + lines[1]))
        assert report["rows"]["rejected"] == 1 and report["rows"]["accepted"] == 2, report["rows"]
        with Server(fresh / "data") as server:
            reply = call(server, LIST_ITEMS, b"")[2]
        for line in lines:
            assert json.loads(line)["id"].encode() in reply, "a good line beside a bad one is lost"


# ---- operation ----


def as_nobody():
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        raise Skip("no setpriv")
    return ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@suite.test
def a_folder_that_may_not_be_written_is_named():
    with Folder() as place:
        place.path.chmod(0o755)
        closed = place / "closed"
        closed.mkdir(mode=0o555)
        program = place / "vitrine"
        shutil.copy(VITRINE, program)
        program.chmod(0o755)
        done = subprocess.run([*as_nobody(), str(program), "serve", "--data", str(closed),
                               "--listen", "127.0.0.1:0"], capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 1, done.stderr
        require_words("closed folder", done.stderr, (str(closed), "Permission denied"))


@suite.test
def operating_mistakes_end_with_their_reason():
    with Server(DATA) as server, Folder() as fresh:
        config = fresh / "vitrine.yaml"
        config.write_text("log-level: info\nlisten: 127.0.0.1:0\ndrain-lingr: 1s\n")
        value = fresh / "value.yaml"
        value.write_text("max-in-flight: many\n")
        file = fresh / "file"
        file.write_text("")
        taken = server.target
        free = ("--listen", "127.0.0.1:0")
        rows = [
            (("serve", "--data", DATA, *free), 1, ("live.lock", str(server.process.pid))),
            (("import", "--data", file, SHOP / "items.jsonl"), 1, (file, "is a file")),
            (("serve", "--data", file, *free), 1, (file, "is a file")),
            (("serve", "--data", fresh / "d", "--listen", taken), 1, (taken, "taken")),
            (("serve", "--data", fresh / "d", *free, "--http", taken), 1, (taken, "taken")),
            (("serve", "--data", fresh / "d", "--listen", "127.0.0.1:99999"), 2,
             ("listen", "99999", "65535")),
            (("serve", "--data", fresh / "d", "--listen", "nowhere"), 2, ("listen", "host:port")),
            (("serve", "--data", fresh / "d", *free, "--role", "candidate"), 2, ("--profile",)),
            (("serve", "--data", fresh / "d", *free, "--role", "candidate", "--profile", "x"), 2,
             ("profile", "host:port")),
            (("serve", "--data", fresh / "d", "--config", config, "--check-config"), 2,
             ("vitrine.yaml:3", "drain-lingr", "drain-linger")),
            (("serve", "--data", fresh / "d", "--config", value, "--check-config"), 2,
             ("value.yaml:1", "max-in-flight", "many")),
            (("serve", "--data", fresh / "d", "--config", fresh / "none", "--check-config"), 2,
             ("none",)),
            (("serve", "--data", fresh / "d", *free, "--thread", "2"), 2, ("--threads",)),
            (("serve", *free), 2, ("--data",)),
            (("train", "--data", fresh / "misspelt"), 1, (fresh / "misspelt", "no such folder")),
            (("train", "--data", DATA, "--algorithm", "ialz"), 2, ("ialz", "ials")),
            (("train", "--data", DATA, "--set", "factor=8"), 2, ("factor", "factors")),
            (("models", "activate", "no-such", "--data", DATA), 1, ("no-such",)),
            (("models", "show", "--data", DATA), 2, ("which version", "models list")),
            (("evaluate", "--train", fresh / "none", "--test", fresh / "none"), 1, ("none",)),
            (("serve-it",), 2, ("serve-it", "serve")),
        ]
        wrong = []
        for arguments, status, words in rows:
            done = run(*arguments, status=None, timeout=60)
            missing = [str(word) for word in words if str(word) not in done.stderr]
            if done.returncode != status or missing or done.stdout:
                wrong.append(f"{arguments}: exit {done.returncode}, without {missing}, "
                             f"stdout {done.stdout[:200]!r}: {done.stderr[-600:]}")
        assert not wrong, "\n".join(wrong)
        assert not (fresh / "misspelt").exists(), "a typo made a folder"


@suite.test
def every_file_of_a_model_is_judged_before_it_serves():
    def cut(path):
        os.truncate(path, path.stat().st_size - 7)

    def flip(path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0x01
        path.write_bytes(content)

    version = (DATA / "bundles" / "CURRENT").read_text().strip()
    names = sorted(path.name for path in (DATA / "bundles" / version).iterdir())
    assert "manifest.json" in names and len(names) > 5, names
    with Folder() as fresh:
        for name in names:
            for damage in (cut, flip, lambda path: path.write_bytes(b""), os.remove):
                shutil.rmtree(fresh / "bundles", ignore_errors=True)
                shutil.copytree(DATA / "bundles", fresh / "bundles")
                damage(fresh / "bundles" / version / name)
                done = run("models", "verify", version, "--data", fresh.path, status=1)
                assert name in done.stderr + done.stdout, f"{name}: {done.stderr}{done.stdout}"


@suite.test
def without_a_usable_model_popular_items_serve_degraded():
    version = (DATA / "bundles" / "CURRENT").read_text().strip()
    with Folder() as fresh:
        data = fresh / "data"
        shutil.copytree(DATA, data, ignore=shutil.ignore_patterns("*.sock"))
        for what, content in (("a missing version", "no-such-version"), ("an empty file", ""),
                              ("a path", "../../etc/passwd"), ("the version again", version)):
            (data / "bundles" / "CURRENT").write_text(content)
            with Server(data) as server:
                answer = server.ask("recommend", "--customer", "C000001", "-n", "5")
                assert len(answer["items"]) == 5, what
                assert answer["degraded"] == (content != version), what


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
