#!/usr/bin/env python3
"""The gateway from outside: JSON and gRPC over TLS, keys and roles, limits, and its errors."""

import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from deployed import KEYS, DeployedCell, Gateway, envoy_program, sha256  # noqa: E402
from tools import venv_python  # noqa: E402
from vitrine import ROOT, WAIT_S, Folder, Suite, run  # noqa: E402

suite = Suite("deploy/gateway")
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
        state["cell"] = DeployedCell(DATA, folder / "cell")
    return state["cell"]


def gateway():
    return cell().gateway


def told(answer, status, code, field=""):
    """Checks an error's status and shape; returns its message."""
    assert answer[0] == status, answer
    assert answer[1]["content-type"] == "application/json", answer
    assert answer[2]["code"] == code and answer[2]["field"] == field, answer
    assert answer[2]["message"], answer
    return answer[2]["message"]


@suite.test
def a_storefront_gets_products_as_json():
    status, _, answer = gateway().call("/v1/recommend", {"customerId": "C000001", "n": 3})
    assert status == 200 and len(answer["items"]) == 3, answer
    assert answer["degraded"] is False and answer["modelVersion"], answer


@suite.test
def an_event_written_as_json_is_in_the_profile():
    event = {"eventId": "gw-1", "type": "EVENT_TYPE_VIEW", "customerId": "gw-customer",
             "itemId": "GW-ITEM", "time": "2026-01-05T10:00:00Z", "channel": "web"}
    status, _, answer = gateway().call("/v1/events", {"events": [event]})
    assert status == 200 and answer["accepted"] == 1, answer
    status, _, answer = gateway().call("/v1/customers/gw-customer?max_events=5", role="operator")
    assert status == 200 and answer["itemIds"] == ["GW-ITEM"], answer


@suite.test
def every_rest_path_of_the_contract_reaches_its_call():
    document = gateway().call("/openapi.json", role=None)[2]
    for path, verbs in document["paths"].items():
        for verb in verbs:
            body = b"{}" if verb == "post" else None
            status, _, answer = gateway().call(path.replace("{customer_id}", "nobody"), body,
                                               role="operator", method=verb.upper()) \
                if not path.endswith(":watch") else (200, {}, "")
            assert status in (200, 400, 404, 412, 501), (verb, path, status, answer)
            assert status != 404 or answer["message"] != "unknown path", (verb, path, answer)


@suite.test
def grpc_passes_through():
    script = """
import sys, grpc
sys.path.insert(0, sys.argv[4])
from vitrine.v1 import recommendation_pb2 as pb, recommendation_pb2_grpc as api
trust = grpc.ssl_channel_credentials(open(sys.argv[2], 'rb').read())
calls = api.RecommendationServiceStub(grpc.secure_channel(sys.argv[1], trust))
key = (('x-api-key', sys.argv[3]), ('vitrine-key', 'C000002'))
answer = calls.Recommend(pb.RecommendRequest(customer_id='C000002', n=4), metadata=key, timeout=5)
assert len(answer.items) == 4 and not answer.degraded, answer
def code_of(request, metadata):
    try:
        calls.Recommend(request, metadata=metadata, timeout=5)
    except grpc.RpcError as error:
        return error.code().name, error.details()
print(code_of(pb.RecommendRequest(n=0), key))
print(code_of(pb.RecommendRequest(n=1), ()))
"""
    python = venv_python()
    out = folder / "pb"
    out.mkdir(exist_ok=True)
    protos = [str(p.relative_to(ROOT / "proto")) for p in
              sorted((ROOT / "proto").glob("vitrine/v1/*.proto"))]
    subprocess.run([python, "-m", "grpc_tools.protoc", "-I", ROOT / "proto", f"--python_out={out}",
                    f"--grpc_python_out={out}", *protos, "google/api/annotations.proto",
                    "google/api/http.proto"], check=True)
    done = subprocess.run([python, "-c", script, gateway().target, cell().certs / "ca.pem",
                           KEYS["storefront"], out], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    wrong, keyless = done.stdout.splitlines()
    assert wrong.startswith("('INVALID_ARGUMENT'"), wrong
    assert keyless.startswith("('UNAUTHENTICATED'") and "{" not in keyless, keyless


@suite.test
def who_has_no_key_or_a_wrong_one_is_unauthenticated():
    told(gateway().call("/v1/recommend", {"n": 1}, role=None), 401, "UNAUTHENTICATED")
    told(gateway().call("/v1/recommend", {"n": 1}, role="no-such-key-anywhere"), 401,
         "UNAUTHENTICATED")


@suite.test
def a_role_ends_where_the_contract_says():
    told(gateway().call("/v1/customers:erase", {"customerId": "nobody"}), 403, "PERMISSION_DENIED")
    outsider = {"vitrine-role": "operator", "vitrine-client": "operator/x"}
    told(gateway().call("/v1/customers:erase", {"customerId": "nobody"}, headers=outsider), 403,
         "PERMISSION_DENIED")


@suite.test
def wrong_requests_say_what_and_where():
    said = told(gateway().call("/v1/recommend", {"customerId": "C000001", "n": 0}), 400,
                "INVALID_ARGUMENT", "n")
    assert "1" in said, said
    told(gateway().call("/v1/recommend", b'{"n":'), 400, "INVALID_ARGUMENT")
    told(gateway().call("/v1/recommend", {"n": "many"}), 400, "INVALID_ARGUMENT", "n")
    told(gateway().call("/v1/customers/nobody?nonsense=1", role="operator"), 400,
         "INVALID_ARGUMENT")
    said = told(gateway().call("/v1/events", {"events": "x" * 100000}), 400, "INVALID_ARGUMENT",
                "events")
    assert len(said) < 2000, "an error does not send the whole request back"


@suite.test
def unknown_paths_are_not_found():
    for path in ("/v1/nothing", "/v1/recommend/more", "/vitrine.v1.AdminService/Checkpoint",
                 "/vitrine.v1.CandidateService/GetCandidates"):
        told(gateway().call(path, {}, role="operator"), 404, "NOT_FOUND")


@suite.test
def json_that_is_none_says_so():
    for body in (b"{", b"[1]", b"\xff\xfe{", b'{"n":1}{}', b"n=1&visitorId=v"):
        told(gateway().call("/v1/recommend", body), 400, "INVALID_ARGUMENT")
    said = gateway().call("/v1/recommend?n=3", {"visitorId": "v", "n": 1})
    assert told(said, 400, "INVALID_ARGUMENT"), "the query and the body say different things"


@suite.test
def names_that_the_contract_does_not_know_are_ignored_in_a_body():
    """As docs/api.md says; what is known beside them counts."""
    status, _, answer = gateway().call("/v1/recommend", {
        "customerId": "C000001", "n": 2, "nonsense": 1, "more": {"of": ["it"]}})
    assert status == 200 and len(answer["items"]) == 2, answer


@suite.test
def a_body_is_json_whatever_its_content_type_says():
    """`curl -d` calls it a form."""
    for kind in ("application/json; charset=utf-8", "text/plain",
                 "application/x-www-form-urlencoded"):
        status, _, answer = gateway().call("/v1/recommend", {"visitorId": "v", "n": 1},
                                           headers={"content-type": kind})
        assert status == 200 and len(answer["items"]) == 1, (kind, answer)


@suite.test
def a_wrong_verb_hears_the_right_one():
    for path, verb, right in (("/v1/recommend", "GET", "POST"), ("/v1/recommend", "DELETE", "POST"),
                              ("/v1/events", "PUT", "POST"), ("/v1/models/active", "POST", "GET"),
                              ("/v1/customers/C000001", "PATCH", "GET"),
                              ("/v1/customers", "PUT", "GET, POST")):
        answer = gateway().call(path, {} if verb != "GET" else None, role="operator", method=verb)
        told(answer, 405, "UNIMPLEMENTED")
        assert answer[1]["allow"] == right, answer[1].items()
    told(gateway().call("/v1/recommend", method="PUT", role=None), 401, "UNAUTHENTICATED")


@suite.test
def bodies_and_headers_have_an_end():
    told(gateway().call("/v1/events", b'{"events":[' + b" " * (5 << 20) + b"]}"), 413,
         "INVALID_ARGUMENT")
    told(gateway().call("/v1/recommend", {"n": 1}, headers={"x-long": "y" * 16000}), 431,
         "INVALID_ARGUMENT")


@suite.test
def too_many_calls_of_a_key_are_sent_back_and_others_are_not():
    keys = folder / "keys.txt"
    keys.write_text("a-key-of-five-a-second storefront slow 5\n"
                    "a-key-of-many-a-second storefront fast 10000\n")
    own = Gateway(folder / "limited", cell().certs, [s.target for s in cell().rankings],
                  [cell().profile.target], keys=str(keys))
    try:
        answers = [own.call("/v1/recommend", {"n": 0}, role="a-key-of-five-a-second")
                   for _ in range(40)]
        refused = [answer for answer in answers if answer[0] == 429]
        assert refused and len(refused) < 40, [answer[0] for answer in answers]
        told(refused[0], 429, "RESOURCE_EXHAUSTED")
        assert refused[0][1]["retry-after"] == "1", refused[0][1].items()
        assert own.call("/v1/recommend", {"n": 1}, role="a-key-of-many-a-second")[0] == 200
    finally:
        own.stop()


@suite.test
def the_callers_deadline_ends_a_call():
    profile = cell().profile
    profile.process.send_signal(19)  # SIGSTOP
    try:
        told(gateway().call("/v1/customers/C000001", role="operator",
                            headers={"grpc-timeout": "200m"}), 504, "DEADLINE_EXCEEDED")
    finally:
        profile.process.send_signal(18)
    gateway().wait_ready()


@suite.test
def a_customers_calls_go_to_one_replica_and_customers_to_all():
    trace = "{:032x}".format
    hosts = {}
    for customer in range(12):
        for turn in range(3):
            gateway().call("/v1/recommend", {"customerId": f"C{customer}", "n": 1}, headers={
                "vitrine-key": f"C{customer}",
                "traceparent": f"00-{trace(0xabc000 + customer * 8 + turn)}-00f067aa0ba902b7-01"})
    for line in wait_for_lines(lambda line: line["trace_id"] and "abc0" in line["trace_id"], 36):
        customer = (int(line["trace_id"], 16) - 0xabc000) // 8
        hosts.setdefault(customer, set()).add(line["upstream"])
    assert all(len(found) == 1 for found in hosts.values()), hosts
    assert len(set.union(*hosts.values())) == 2, hosts


def wait_for_lines(wanted, count):
    """Lines of the access log that are wanted, once there are so many: Envoy writes it in a while."""
    until = time.monotonic() + WAIT_S
    while True:
        lines = [line for line in gateway().access_log() if wanted(line)]
        if len(lines) >= count:
            return lines
        assert time.monotonic() < until, f"{len(lines)} of {count} lines"
        time.sleep(0.1)


@suite.test
def only_calls_that_change_nothing_are_tried_again():
    config = json.loads(gateway().admin("/config_dump"))
    tried = {}
    for route in walk(config, "routes"):
        if "cluster" in route.get("route", {}) and "name" in route:
            tried[route["name"]] = "retry_policy" in route["route"]
    assert len(tried) > 20, tried
    again = {name.split("/")[1] for name, is_tried in tried.items() if is_tried}
    assert {"Recommend", "Rank", "SimilarItems", "GetProfile", "GetItems"} <= again, again
    changes = {"WriteEvents", "StreamEvents", "UpsertItems", "DeleteItems", "UpsertCustomers",
               "LinkIdentities", "EraseCustomer", "Activate", "Rollback"}
    assert changes <= {name.split("/")[1] for name in tried} - again, again


def walk(value, name):
    """Everything in lists of this name, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, list):
                yield from inner
            yield from walk(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, name)


@suite.test
def connections_and_calls_under_way_have_an_end():
    own = Gateway(folder / "small", cell().certs, [s.target for s in cell().rankings],
                  [cell().profile.target], limits={"connections": 5})
    held = []
    try:
        for _ in range(12):
            held.append(socket.create_connection(("127.0.0.1", own.port), timeout=WAIT_S))
        trust = ssl.create_default_context(cafile=str(cell().certs / "ca.pem"))
        shaken = 0
        for plain in held:
            try:
                trust.wrap_socket(plain, server_hostname="localhost").close()
                shaken += 1
            except OSError:
                pass
        assert 0 < shaken <= 5, shaken
        assert own.call("/v1/recommend", {"n": 1})[0] == 200, "places are free again"
    finally:
        for plain in held:
            plain.close()
        own.stop()


@suite.test
def the_values_that_are_shipped_make_what_envoy_accepts():
    """With every part of them in use: tokens, origins of browsers, traces."""
    certs = cell().certs
    shipped = (ROOT / "deploy/gateway/values.yaml").read_text()
    place = folder / "shipped"
    place.mkdir()
    (place / "certs").symlink_to(certs)
    (place / "keys.txt").write_text(f"{sha256('a-key-of-the-shop')} storefront shop\n")
    (place / "jwks.json").write_text('{"keys":[{"kty":"oct","k":"c2VjcmV0","alg":"HS256"}]}')
    full = shipped.replace("\ncors: []", "\ncors: [https://shop.example]").replace(
        "\njwt: {}", "\njwt: {issuer: https://a.example, audiences: [v], jwks: jwks.json}").replace(
        "\ntracing: {}", "\ntracing: {collector: 'otel.example:4317', sample: 0.5}")
    assert full.count("example") > shipped.count("example") + 2, "values.yaml has other lines now"
    for number, text in enumerate((shipped, full)):
        (place / "values.yaml").write_text(text)
        out = place / str(number)
        for command in ([ROOT / "deploy/gateway/render.py", "--values", place / "values.yaml",
                         "--out", out],
                        [envoy_program(), "--mode", "validate", "--log-level", "error",
                         "-c", out / "envoy.yaml"]):
            done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
            assert done.returncode == 0, done.stdout + done.stderr


@suite.test
def old_tls_and_plain_text_are_refused():
    trust = ssl.create_default_context(cafile=str(cell().certs / "ca.pem"))
    trust.minimum_version = ssl.TLSVersion.TLSv1
    trust.maximum_version = ssl.TLSVersion.TLSv1_1
    for make in (lambda: http.client.HTTPSConnection("localhost", gateway().port, context=trust),
                 lambda: http.client.HTTPConnection("localhost", gateway().port)):
        try:
            make().request("GET", "/")
            connection = make()
            connection.request("GET", "/")
            connection.getresponse()
            raise AssertionError("was served")
        except (OSError, http.client.HTTPException):
            pass


@suite.test
def the_access_log_knows_calls_and_no_secrets():
    gateway().call("/v1/customers/secret-customer", role="operator",
                   headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"})
    gateway().call("/v1/secret-path")
    gateway().admin("/ready")
    cell().gateway.stop()
    text = cell().gateway.log_path.read_text()
    assert "secret" not in text and not any(key in text for key in KEYS.values()), text[-2000:]
    lines = cell().gateway.access_log()
    one = next(line for line in lines if line["trace_id"] == "0af7651916cd43dd8448eb211c80319c")
    assert one["method"] == "vitrine.v1.ProfileService/GetProfile" and one["status"] == 200, one
    assert one["client"] == "operator-of-tests", one


@suite.test
def wrong_values_are_refused_by_name():
    def refusal(**changes):
        values = {"upstreams": {"ranking": ["127.0.0.1:1"], "profile": ["127.0.0.1:2"]},
                  "certificates": {"server": {"cert": "a", "key": "b"},
                                   "services": {"cert": "a", "key": "b", "ca": "c"}},
                  "keys": "keys.txt", **changes}
        (folder / "values.yaml").write_text(json.dumps(values))
        done = subprocess.run([ROOT / "deploy/gateway/render.py", "--values",
                               folder / "values.yaml", "--out", folder / "refused"],
                              capture_output=True, text=True)
        assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
        return done.stderr
    (folder / "keys.txt").write_text("short storefront x\n")
    assert "keys.txt:1: wants the SHA-256 of a key" in refusal()
    (folder / "keys.txt").write_text("a-key-that-is-long-enough god x\n")
    assert "'god' is no role" in refusal()
    assert "upstreams.profile: is missing" in refusal(upstreams={"ranking": ["127.0.0.1:1"]})
    assert "limits.strems: unknown" in refusal(limits={"strems": 4})
    assert "is not loopback" in refusal(admin="0.0.0.0:9901")
    assert "listen: 'here' is no HOST:PORT" in refusal(listen="here")


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        if "cell" in state:
            state["cell"].__exit__()
        folder.close()
