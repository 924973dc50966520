#!/usr/bin/env python3
"""Real clients that nobody here wrote: grpcurl (Go), grpcio (PyPI), grpc-js (npm), promtool."""

import json
import pathlib
import shutil
import subprocess
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from tools import TOOLS, grpcurl, install, venv_python  # noqa: E402
from vitrine import ROOT, Folder, Server, Skip, Suite, run, run_json  # noqa: E402

suite = Suite("clients")
PROTO = ROOT / "proto"
GRPC_PROTO = "/usr/share/grpc-proto"
folder = Folder()
DATA = folder / "data"


def curl_grpc(server, *args, body=None, status=0):
    command = [grpcurl(), "-plaintext", "-max-time", "10"]
    if body is not None:
        command += ["-d", json.dumps(body)]
    done = subprocess.run(command + [server.target, *args], capture_output=True, text=True,
                          timeout=60)
    assert (done.returncode == 0) == (status == 0), done.stdout + done.stderr
    return done


def stubs():
    out = folder / "stubs"
    if not out.exists():
        out.mkdir()
        files = sorted(str(path) for path in (PROTO / "vitrine" / "v1").glob("*.proto"))
        done = subprocess.run([venv_python(), "-m", "grpc_tools.protoc", f"-I{PROTO}",
                               f"--python_out={out}", f"--grpc_python_out={out}", *files],
                              capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
    return out


def node_modules():
    if shutil.which("npm") is None:
        raise Skip("no npm")
    home = TOOLS / "npm"
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        install(["npm", "install", "--no-audit", "--no-fund", "--fetch-retries", "1",
                 "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "20000",
                 "--prefix", str(home), "@grpc/grpc-js", "@grpc/proto-loader"], "grpc-js")
        (home / "complete").write_text("")
    return home


@suite.test
def a_storefront_is_imported_and_trained():
    run_json("demo-data", "--out", folder / "shop", "--customers", "1500", "--items", "500",
             "--days", "40")
    run("import", "--data", DATA, *(folder / "shop" / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")))
    run("train", "--data", DATA, "--set", "factors=16")


@suite.test
def grpcurl_lists_and_describes_everything_by_reflection():
    with Server(DATA) as server:
        services = curl_grpc(server, "list").stdout.split()
        for name in ("RecommendationService", "EventService", "ProfileService", "CatalogService",
                     "CandidateService", "ModelService", "AdminService"):
            assert f"vitrine.v1.{name}" in services, services
        assert "grpc.health.v1.Health" in services
        for service in services:
            assert "service" in curl_grpc(server, "describe", service).stdout
            for method in curl_grpc(server, "list", service).stdout.split():
                assert "rpc" in curl_grpc(server, "describe", method).stdout
        assert "context_item_ids" in curl_grpc(
            server, "describe", "vitrine.v1.RecommendRequest").stdout


@suite.test
def grpcurl_calls_everything_by_reflection():
    with Server(DATA) as server:
        v1 = "vitrine.v1."
        answer = json.loads(curl_grpc(server, v1 + "RecommendationService/Recommend", body={
            "customerId": "C000001", "n": 5, "explain": True, "returnDetails": True}).stdout)
        assert len(answer["items"]) == 5
        sku = answer["items"][0]["id"]
        for method, body in (
                ("RecommendationService/Rank", {"customerId": "C000001", "itemIds": [sku]}),
                ("RecommendationService/SimilarItems", {"itemIds": [sku], "n": 3}),
                ("ProfileService/GetProfile", {"customerId": "C000001"}),
                ("ProfileService/BatchGetProfiles", {"requests": [{"customerId": "C000001"}]}),
                ("ProfileService/ListCustomers", {"pageSize": 3}),
                ("ProfileService/UpsertCustomers", {"customers": [{"id": "g1"}]}),
                ("CatalogService/GetItems", {"ids": [sku]}),
                ("CatalogService/ListItems", {"pageSize": 3}),
                ("CatalogService/UpsertItems", {"items": [
                    {"id": sku, "price": 1.5}], "updateMask": {"paths": ["price"]}}),
                ("CatalogService/DeleteItems", {"ids": ["none"], "validateOnly": True}),
                ("CandidateService/GetCandidates", {"n": 5}),
                ("ProfileService/LinkIdentities", {"validateOnly": True, "identities": [
                    {"type": "IDENTITY_TYPE_MEMBER", "id": "g1"},
                    {"type": "IDENTITY_TYPE_LOYALTY_CARD", "channel": "pos", "id": "4711"}]}),
                ("ModelService/ListVersions", {}),
                ("ModelService/GetActive", {}),
                ("EventService/WriteEvents", {"events": [{
                    "eventId": "g-1", "type": "EVENT_TYPE_VIEW", "customerId": "g1",
                    "itemId": sku, "time": "2026-06-30T10:00:00Z"}]})):
            curl_grpc(server, v1 + method, body=body)
        price = json.loads(curl_grpc(server, v1 + "CatalogService/GetItems",
                                     body={"ids": [sku]}).stdout)["items"][0]
        assert price["price"] == 1.5 and price["title"], "the mask kept the title"
        cheap = json.loads(curl_grpc(server, v1 + "CatalogService/ListItems",
                                     body={"filter": f'price = 1.5 and id = "{sku}"'}).stdout)
        assert [item["id"] for item in cheap["items"]] == [sku], "as it was just written"
        assert "did you mean 'price'" in curl_grpc(server, v1 + "CatalogService/ListItems", status=1,
                                                   body={"filter": "pricee<3"}).stderr
        assert "InvalidArgument" in curl_grpc(server, v1 + "RecommendationService/Explain",
                                              body={}, status=1).stderr
        assert "PermissionDenied" in curl_grpc(server, v1 + "AdminService/Checkpoint", status=1,
                                               body={"directory": "/tmp/x"}).stderr


@suite.test
def grpcurl_health_says_serving_and_unknown_services_are_not_found():
    with Server(DATA) as server:
        for service in ("", "vitrine.v1.RecommendationService"):
            assert "SERVING" in curl_grpc(server, "grpc.health.v1.Health/Check",
                                          body={"service": service}).stdout
        assert "NotFound" in curl_grpc(server, "grpc.health.v1.Health/Check",
                                       body={"service": "no.such"}, status=1).stderr


PYTHON_CLIENT = """
import sys
sys.path.insert(0, sys.argv[2])
import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from vitrine.v1 import (event_pb2, event_pb2_grpc, recommendation_pb2, recommendation_pb2_grpc,
                        catalog_pb2, catalog_pb2_grpc, profile_pb2, profile_pb2_grpc, types_pb2)

channel = grpc.insecure_channel(sys.argv[1])
catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
items = [types_pb2.Item(id=f"PY-{i}", title=f"Teapot {i}", price=10 + i, currency_code="GBP",
                        stock=-1) for i in range(20)]
done = catalog.UpsertItems(catalog_pb2.UpsertItemsRequest(items=items), timeout=10)
assert done.inserted == 20, done
events = event_pb2_grpc.EventServiceStub(channel)
stamp = Timestamp()
stamp.FromJsonString("2026-06-30T10:00:00Z")
batch = [types_pb2.Event(event_id=f"py-{i}", type=types_pb2.EVENT_TYPE_PURCHASE, time=stamp,
                         customer_id="C000007", item_id=f"PY-{i}", quantity=1) for i in range(3)]
batch.append(types_pb2.Event(event_id="py-bad", type=types_pb2.EVENT_TYPE_PURCHASE, time=stamp,
                             customer_id="C000007", item_id="x" * 129))
written = events.WriteEvents(event_pb2.WriteEventsRequest(events=batch), timeout=10,
                             metadata=[("vitrine-key", "C000007")])
assert (written.accepted, written.rejected) == (3, 1), written
assert written.results[3].field == "item_id" and "128" in written.results[3].reason, written
again = events.WriteEvents(event_pb2.WriteEventsRequest(events=batch[:3]), timeout=10)
assert again.duplicates == 3, again
ranking = recommendation_pb2_grpc.RecommendationServiceStub(channel)
answer = ranking.Recommend(recommendation_pb2.RecommendRequest(
    customer_id="C000007", n=10, explain=True, return_details=True), timeout=10)
assert len(answer.items) == 10 and not answer.degraded, answer
assert not {item.id for item in answer.items} & {"PY-0", "PY-1", "PY-2"}, "bought and shown"

card = types_pb2.Identity(type=types_pb2.IDENTITY_TYPE_LOYALTY_CARD, channel="pos", id="4711")
member = types_pb2.Identity(type=types_pb2.IDENTITY_TYPE_MEMBER, id="C000007")
sold = answer.items[0].id
events.WriteEvents(event_pb2.WriteEventsRequest(events=[types_pb2.Event(
    event_id="py-till", type=types_pb2.EVENT_TYPE_PURCHASE, time=stamp, identity=card,
    item_id=sold, channel="pos")]), timeout=10)
profiles = profile_pb2_grpc.ProfileServiceStub(channel)
linked = profiles.LinkIdentities(profile_pb2.LinkIdentitiesRequest(identities=[member, card]),
                                 timeout=10)
assert linked.changed and linked.merged_customers == 1, linked
answer = ranking.Recommend(recommendation_pb2.RecommendRequest(identity=card, n=10), timeout=10)
assert answer.items and sold not in {item.id for item in answer.items}, "sold by the till"
other = types_pb2.Identity(type=types_pb2.IDENTITY_TYPE_MEMBER, id="C000008")
try:
    profiles.LinkIdentities(profile_pb2.LinkIdentitiesRequest(identities=[card, other]), timeout=10)
    raise SystemExit("two members were joined")
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION, error.code()
    assert "merge_members" in error.details(), error.details()

watch = catalog.Watch(catalog_pb2.WatchRequest(), timeout=10)
kinds = set()
for message in watch:
    kinds |= {change.WhichOneof("change") for change in message.changes}
    if "snapshot_done" in kinds:
        break
assert {"snapshot_begin", "upsert"} <= kinds, kinds
watch.cancel()

unknown = channel.unary_unary("/vitrine.v1.RecommendationService/Nothing",
                              request_serializer=bytes, response_deserializer=bytes)
for call, code in ((lambda: unknown(b"", timeout=5), grpc.StatusCode.UNIMPLEMENTED),
                   (lambda: ranking.Recommend(recommendation_pb2.RecommendRequest(n=0), timeout=5),
                    grpc.StatusCode.INVALID_ARGUMENT)):
    try:
        call()
        raise SystemExit("was answered OK")
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
raw = channel.unary_unary("/vitrine.v1.RecommendationService/Recommend",
                          request_serializer=bytes, response_deserializer=bytes)
for body in (b"\\x12\\xff", b"\\x12\\x02a\\x00\\x28\\x05", b"\\x12\\x02\\xc3\\x28\\x28\\x05"):
    try:
        raw(body, timeout=5)
        raise SystemExit(f"{body} was answered OK")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, (body, error.details())
print("done")
"""


@suite.test
def a_python_client_built_from_the_contract_upserts_sends_and_asks():
    python, out = venv_python(), stubs()
    with Server(DATA) as server:
        done = subprocess.run([python, "-c", PYTHON_CLIENT, server.target, str(out)],
                              capture_output=True, text=True, timeout=120)
        assert done.stdout.strip() == "done", done.stdout + done.stderr


NODE_CLIENT = """
const [target, proto, modules] = process.argv.slice(-3);
const grpc = require(modules + '/@grpc/grpc-js');
const loader = require(modules + '/@grpc/proto-loader');
const files = loader.loadSync('vitrine/v1/recommendation.proto', {includeDirs: [proto]});
const v1 = grpc.loadPackageDefinition(files).vitrine.v1;
const client = new v1.RecommendationService(target, grpc.credentials.createInsecure());
client.Recommend({customerId: 'C000001', n: 5}, {deadline: Date.now() + 10000}, (error, answer) => {
  if (error || answer.items.length !== 5) { console.error(error, answer); process.exit(1); }
  console.log('done');
  client.close();
});
"""


@suite.test
def a_node_client_built_from_the_contract_asks():
    home = node_modules()
    with Server(DATA) as server:
        done = subprocess.run(["node", "-e", NODE_CLIENT, "--", server.target, str(PROTO),
                               str(home / "node_modules")],
                              capture_output=True, text=True, timeout=60)
        assert done.stdout.strip() == "done", done.stdout + done.stderr


@suite.test
def promtool_accepts_the_metrics():
    if shutil.which("promtool") is None:
        raise Skip("no promtool")
    with Server(DATA, http=True) as server:
        server.ask("recommend", "--customer", "C000001")
        with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics",
                                    timeout=10) as response:
            metrics = response.read().decode()
        done = subprocess.run(["promtool", "check", "metrics"], input=metrics, text=True,
                              capture_output=True, timeout=30)
        assert done.returncode == 0 and not done.stderr.strip(), done.stdout + done.stderr


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
