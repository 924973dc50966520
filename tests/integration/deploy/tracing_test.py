#!/usr/bin/env python3
"""Where the time of a call went: one tree of spans from the gateway to the last service, the same
trace id in every log, and nothing of a customer in any of them.

One cell behind its gateway, with a collector that comes and goes.
"""

import json
import pathlib
import re
import secrets
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from collector import Collector  # noqa: E402
from deployed import KEYS, DeployedCell, envoy_program  # noqa: E402
from vitrine import WAIT_S, Folder, Suite  # noqa: E402

suite = Suite("deploy/tracing")
folder = Folder()
SERVER, CLIENT, INTERNAL = 2, 3, 1
RANKING, PROFILE, CANDIDATE = "vitrine-ranking", "vitrine-profile", "vitrine-candidate"
RECOMMEND = "vitrine.v1.RecommendationService/Recommend"
GET_PROFILE = "vitrine.v1.ProfileService/GetProfile"
GET_CANDIDATES = "vitrine.v1.CandidateService/GetCandidates"
# Told to the cell in every way there is, and to be found in no log.
CUSTOMER, VISITOR, EVENT = "kunde-7f3a91", "besucher-55c0de", "ereignis-90ab12"
DROPPED = "vitrine_trace_spans_dropped_total"
state = {}


def collector():
    if "collector" not in state:
        envoy_program()
        state["collector"] = Collector(folder / "spans.jsonl")
        state["collector"].start()
    return state["collector"]


def cell():
    if "cell" not in state:
        (folder / "data").mkdir()
        target = collector().target
        state["cell"] = DeployedCell(
            folder / "data", folder / "cell", rankings=1,
            service_options=["--otlp", target, "--trace-sample", "0", "--log-level", "debug"],
            tracing={"collector": target, "sample": 0})
        fill()
    return state["cell"]


def fill():
    """A little catalog, and a customer who has done something."""
    gateway = state["cell"].gateway
    items = [{"id": f"sku-{i}", "title": f"Item {i}", "categories": ["things"], "price": 5,
              "stock": 9} for i in range(8)]
    events = [{"eventId": f"{EVENT}-{i}", "type": "EVENT_TYPE_VIEW", "customerId": CUSTOMER,
               "visitorId": VISITOR, "itemId": f"sku-{i}", "channel": "web", "time": "2026-01-05T10:00:00Z"}
              for i in range(3)]
    status, _, answer = gateway.call("/v1/items", {"items": items})
    assert status == 200, answer
    status, _, answer = gateway.call("/v1/events", {"events": events})
    assert status == 200 and answer["accepted"] == 3, answer


def services():
    return {RANKING: cell().rankings[0], PROFILE: cell().profile, CANDIDATE: cell().candidate}


def recommend(sampled=True, **more):
    """A call whose trace we begin; its id."""
    trace = secrets.token_hex(16)
    status, _, answer = cell().gateway.call(
        "/v1/recommend", {"placement": "home", "customerId": CUSTOMER, "n": 3, **more},
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-{'01' if sampled else '00'}",
                 "vitrine-key": CUSTOMER})
    assert status == 200, answer
    return trace


def is_whole(spans):
    """Every service has told how it answered: what it did in between came before or with that."""
    return {span["resource"]["service.name"] for span in spans if span["kind"] == SERVER} == {
        "vitrine-gateway", RANKING, PROFILE, CANDIDATE}


def one(spans, **wanted):
    service = wanted.pop("service", None)
    found = [span for span in spans if all(span[key] == value for key, value in wanted.items())
             and service in (None, span["resource"]["service.name"])]
    assert len(found) == 1, (wanted, service, found, spans)
    return found[0]


@suite.test
def one_call_is_one_tree_from_the_gateway_to_the_last_service():
    cell()
    trace = recommend()
    spans = collector().wait_for("whole tree", is_whole, trace)
    gateway = one(spans, service="vitrine-gateway")
    ranking = one(spans, service=RANKING, name=RECOMMEND, kind=SERVER)
    assert gateway["parent"] == "00f067aa0ba902b7", gateway
    assert ranking["parent"] == gateway["id"], (ranking, gateway)
    for name, service in ((GET_PROFILE, PROFILE), (GET_CANDIDATES, CANDIDATE)):
        asked = one(spans, service=RANKING, name=name, kind=CLIENT)
        answered = one(spans, service=service, name=name, kind=SERVER)
        assert asked["parent"] == ranking["id"], (asked, ranking)
        assert answered["parent"] == asked["id"], (answered, asked)
        assert ranking["begin"] <= asked["begin"] <= answered["begin"], (ranking, asked, answered)
        assert answered["end"] <= asked["end"] <= ranking["end"], (ranking, asked, answered)
    for step in ("wait", "profile", "candidate", "rank"):
        span = one(spans, service=RANKING, name=step, kind=INTERNAL)
        assert span["parent"] == ranking["id"], span
        assert ranking["begin"] <= span["begin"] <= span["end"] <= ranking["end"], (span, ranking)
    assert len({span["id"] for span in spans}) == len(spans), "two spans share an id"


@suite.test
def spans_tell_which_process_which_method_and_how_it_ended():
    cell()
    trace = recommend()
    spans = collector().wait_for("whole tree", is_whole, trace)
    span = one(spans, service=RANKING, name=RECOMMEND, kind=SERVER)
    assert span["attributes"] == {
        "rpc.system": "grpc", "rpc.service": "vitrine.v1.RecommendationService",
        "rpc.method": "Recommend", "rpc.grpc.status_code": 0}, span
    pid = cell().rankings[0].process.pid
    assert span["resource"]["service.instance.id"].endswith(f":{pid}"), span
    assert re.fullmatch(r"\d+\.\d+\.\d+", span["resource"]["service.version"]), span


@suite.test
def a_write_tells_how_long_the_disk_took():
    cell()
    trace = secrets.token_hex(16)
    status, _, answer = cell().gateway.call("/v1/events", {"events": [
        {"eventId": f"{EVENT}-disk", "type": "EVENT_TYPE_VIEW", "customerId": CUSTOMER,
         "itemId": "sku-7", "time": "2026-01-05T11:00:00Z", "channel": "web"}]},
        headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert status == 200 and answer["accepted"] == 1, answer
    spans = collector().wait_for("commit", lambda spans: any(
        span["name"] == "commit" for span in spans), trace)
    write = one(spans, service=PROFILE, name="vitrine.v1.EventService/WriteEvents", kind=SERVER)
    assert one(spans, name="commit")["parent"] == write["id"], spans


@suite.test
def every_log_has_the_trace_id_of_the_call():
    cell()
    trace = recommend()
    spans = collector().wait_for("whole tree", is_whole, trace)
    for service, server in services().items():
        lines = [line for line in server.log if line.get("trace_id") == trace]
        span = one(spans, service=service, kind=SERVER)
        assert [line["span_id"] for line in lines] == [span["id"]], (service, lines, span)
        assert lines[0]["method"] == span["name"], lines
    until = time.monotonic() + WAIT_S
    while not any(line["trace_id"] == trace for line in cell().gateway.access_log()):
        assert time.monotonic() < until, "the gateway's log does not have the trace"
        time.sleep(0.05)


@suite.test
def who_is_not_sampled_is_not_recorded():
    cell()
    quiet, loud = recommend(sampled=False), recommend()
    collector().wait_for("sampled call", is_whole, loud)
    assert collector().spans(quiet) == []
    assert any(line.get("trace_id") == quiet for line in cell().rankings[0].log), "no line of it"


def exported():
    return cell().rankings[0].metric("vitrine_trace_spans_exported_total")


def dropped(reason):
    return cell().rankings[0].metric(f'{DROPPED}{{reason="{reason}"}}')


@suite.test
def collector_that_is_away_costs_spans_and_no_call():
    cell()
    collector().stop()
    before = len(cell().rankings[0].log)
    for _ in range(5):
        recommend()
    cell().rankings[0].wait_for("spans_not_exported", after=before)
    until = time.monotonic() + WAIT_S
    while dropped("collector") < 5 * 7:  # a server span, two of calls, four steps
        assert time.monotonic() < until, dropped("collector")
        time.sleep(0.05)
    assert dropped("queue_full") == 0
    lines = [line for line in cell().rankings[0].log[before:]
             if line["event"] == "spans_not_exported"]
    assert len(lines) == 1, lines


@suite.test
def collector_that_is_back_gets_the_next_spans():
    cell()
    collector().stop()
    before = exported()
    collector().start()
    traces, until = [], time.monotonic() + WAIT_S
    while not any(is_whole(collector().spans(trace)) for trace in traces):
        assert time.monotonic() < until, f"no whole tree: {collector().spans(traces[-1])}"
        traces.append(recommend())  # each process tries its connection again within seconds
        time.sleep(0.2)
    assert exported() > before
    cell().rankings[0].wait_for("spans_exported_again")


def traced():
    """Headers of a call whose spans are recorded everywhere."""
    return {"traceparent": f"00-{secrets.token_hex(16)}-00f067aa0ba902b7-01",
            "vitrine-key": CUSTOMER}


def provoke():
    """Calls of every kind that name a customer, good ones and ones that are refused."""
    def ask(path, body=None, **more):
        return cell().gateway.call(path, body, **{"headers": traced(), **more})
    body = {"placement": "home", "customerId": CUSTOMER, "n": 3}
    for role in ("storefront", "nobodys-key-of-the-tests", "read-only"):
        ask("/v1/recommend", body, role=role)
    ask("/v1/recommend", {**body, "n": -4})
    ask("/v1/recommend", {**body, "filter": f"brand = '{CUSTOMER}' and ("})
    ask("/v1/recommend", f'{{"customerId": "{CUSTOMER}", '.encode())
    ask(f"/v1/customers/{CUSTOMER}")
    known = ask(f"/v1/customers/{CUSTOMER}?max_events=5", role="operator")
    assert known[0] == 200 and known[2]["itemIds"], known  # there is something to leak
    ask(f"/v1/customers/{CUSTOMER}-who-never-was", role="operator")
    ask(f"/v1/nowhere/{CUSTOMER}?customer={CUSTOMER}")
    ask("/v1/events", {"events": [{"eventId": EVENT, "type": "EVENT_TYPE_VIEW", "itemId": "",
                                   "customerId": CUSTOMER, "visitorId": VISITOR}]})
    ask("/v1/recommend", body, headers={"traceparent": f"00-{CUSTOMER}"})
    ask("/v1/customers:export", {"customerId": CUSTOMER}, role="operator")
    ask("/v1/customers:erase", {"customerId": CUSTOMER}, role="operator")


def all_logs():
    """(where, text) of everything that the cell's processes wrote."""
    for service, server in services().items():
        yield f"log of {service}", "\n".join(json.dumps(line) for line in server.log)
    yield "access log", cell().gateway.log_path.read_text(encoding="utf-8")
    yield "Envoy's log", cell().gateway.errors_path.read_text(encoding="utf-8")
    yield "spans", collector().path.read_text(encoding="utf-8")


@suite.test
def no_log_and_no_span_has_a_customer_or_a_key():
    cell()
    provoke()
    last = recommend()
    collector().wait_for("last call", is_whole, last)
    secret = [CUSTOMER, VISITOR, EVENT, *KEYS.values(), "nobodys-key"]
    until = time.monotonic() + WAIT_S
    while last not in cell().gateway.log_path.read_text(encoding="utf-8"):
        assert time.monotonic() < until, "the access log is behind"
        time.sleep(0.05)
    for where, text in all_logs():
        assert where == "Envoy's log" or last in text, f"{where} does not have the last call"
        for word in secret:
            at = text.find(word)
            assert at < 0, f"{where} has {word}: {text[max(0, at - 300):at + 100]}"


@suite.test
def processes_end_well_while_the_collector_is_away():
    cell()
    collector().stop()
    recommend()
    for name, server in services().items():
        assert server.stop() == 0, (name, server.log[-5:])
        assert server.log[-2]["event"] == "stopped", server.log[-3:]


def main():
    try:
        suite.run()
    finally:
        if "cell" in state:
            state["cell"].__exit__()
        if "collector" in state:
            state["collector"].stop()
        folder.close()


if __name__ == "__main__":
    main()
