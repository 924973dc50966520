#!/usr/bin/env python3
"""The whole system: generated data in, ranked products out, in one process and in three."""

import json
import os
import pathlib
import signal
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Folder, Server, Suite, ThreeServices, run, run_json  # noqa: E402

suite = Suite("cell")
folder = Folder()
DATA = folder / "data"
SHOP = folder / "shop"
KNOWN = None


def answer_of(response):
    """What must be equal everywhere: everything but the token, which is new for each answer."""
    return {key: value for key, value in response.items() if key != "attributionToken"}


def fixed_requests(server):
    """A set of requests that covers known, new and unknown customers and all three calls."""
    answers = []
    for number in range(1, 40, 3):
        answers.append(answer_of(server.ask("recommend", "--customer", f"C{number:06d}")))
    answers.append(answer_of(server.ask("recommend", "--customer", "nobody-yet", "-n", "20")))
    answers.append(answer_of(server.ask("recommend", "--context", "KI00-00001", "-n", "5")))
    for level in ("none", "high"):
        answers.append(answer_of(server.ask("recommend", "--customer", KNOWN,
                                            "--diversity", level)))
    answers.append(answer_of(server.ask("similar", "KI00-00001", "-n", "8")))
    answers.append(answer_of(server.ask("rank", "--customer", KNOWN, "KI00-00003", "KI01-00026",
                                        "no-such-sku", "KI00-00001")))
    return answers


@suite.test
def demo_data_imports_and_trains():
    global KNOWN
    summary = run_json("demo-data", "--out", SHOP, "--customers", "3000", "--items", "900",
                       "--days", "60", "--seed", "5")
    KNOWN = summary["busiest_customer"]
    run("import", "--data", DATA, *(SHOP / name for name in (
        "items.jsonl", "customers.jsonl", "channels.jsonl", "events.jsonl")))
    run("train", "--data", DATA, "--set", "factors=32")
    versions = run("models", "list", "--data", DATA).stdout
    assert versions.strip(), "no model version is listed"


@suite.test
def known_customer_gets_explained_products():
    with Server(DATA) as server:
        response = server.ask("recommend", "--customer", KNOWN, "-n", "10")
        assert list(response)[:4] == ["items", "modelVersion", "attributionToken", "degraded"]
        assert len(response["items"]) == 10 and not response["degraded"]
        assert response["modelVersion"] and response["attributionToken"]
        first = response["items"][0]
        assert first["id"] and first["title"] and first["price"] > 0 and first["reason"]
        assert first["sources"], "an explained item names its sources"
        scores = [item["score"] for item in response["items"]]
        assert len(set(item["id"] for item in response["items"])) == 10
        assert all(score == score for score in scores)
        table = run("recommend", "--target", server.target, "--customer", KNOWN).stdout
        assert first["title"] in table and first["id"] in table


@suite.test
def new_customer_gets_popular_items_and_first_event_changes_the_next_answer():
    with Server(DATA) as server:
        before = server.ask("recommend", "--customer", "just-arrived")
        assert len(before["items"]) == 10 and not before["degraded"]
        item = before["items"][3]["id"]
        server.ask("event", "--customer", "just-arrived", "--type", "purchase", "--item", item)
        after = server.ask("recommend", "--customer", "just-arrived")
        assert answer_of(after) != answer_of(before)
        assert item not in [entry["id"] for entry in after["items"]], "bought and still shown"
        profile = server.ask("profile", "--customer", "just-arrived")
        assert profile["itemIds"] == [item]


@suite.test
def seen_and_excluded_items_are_left_out_unless_asked_for():
    with Server(DATA) as server:
        first = server.ask("recommend", "--customer", KNOWN, "-n", "3")["items"]
        rest = server.ask("recommend", "--customer", KNOWN, "--exclude", first[0]["id"])["items"]
        assert first[0]["id"] not in [item["id"] for item in rest]


@suite.test
def one_process_and_three_give_identical_answers():
    with Server(DATA) as one:
        alone = fixed_requests(one)
    with ThreeServices(DATA) as three:
        together = fixed_requests(three.ranking)
    for left, right in zip(alone, together):
        assert left == right, f"{json.dumps(left)[:800]}\n!=\n{json.dumps(right)[:800]}"


def ask_until(server, good, seconds=20):
    """Asks every 50 ms until the answer is good; the bound only ends a broken run."""
    deadline = time.monotonic() + seconds
    while True:
        response = server.ask("recommend", "--customer", KNOWN)
        if good(response):
            return response
        assert time.monotonic() < deadline, f"still {json.dumps(response)[:500]}"
        time.sleep(0.05)


@suite.test
def ranking_degrades_and_recovers_when_candidate_goes_and_returns():
    with ThreeServices(DATA) as three:
        full = answer_of(three.ranking.ask("recommend", "--customer", KNOWN))
        port = three.candidate.port
        three.candidate.stop(signal.SIGKILL)
        degraded = three.ranking.ask("recommend", "--customer", KNOWN)
        assert degraded["degraded"] and degraded["degradedReason"] and len(degraded["items"]) == 10
        three.start_candidate(port)
        ask_until(three.ranking, lambda response: answer_of(response) == full)


@suite.test
def ranking_degrades_and_recovers_when_profile_stalls():
    with ThreeServices(DATA) as three:
        full = answer_of(three.ranking.ask("recommend", "--customer", KNOWN))
        three.profile.process.send_signal(signal.SIGSTOP)
        degraded = three.ranking.ask("recommend", "--customer", KNOWN, "--timeout", "500ms")
        assert degraded["degraded"] and len(degraded["items"]) == 10
        three.profile.process.send_signal(signal.SIGCONT)
        ask_until(three.ranking, lambda response: answer_of(response) == full)


@suite.test
def a_new_model_is_swapped_in_while_requests_run():
    with Server(DATA) as server:
        old = server.ask("recommend", "--customer", KNOWN)["modelVersion"]
        seen, failures, stop = set(), [], threading.Event()

        def load():
            while not stop.is_set():
                try:
                    response = server.ask("recommend", "--customer", KNOWN)
                    seen.add(response["modelVersion"])
                    if response["degraded"]:
                        failures.append(response["degradedReason"])
                except AssertionError as error:
                    failures.append(str(error))

        thread = threading.Thread(target=load)
        thread.start()
        try:
            run("train", "--data", DATA, "--set", "factors=16")
            new = ask_until(server, lambda response: response["modelVersion"] != old)
        finally:
            stop.set()
            thread.join()
        assert not failures, failures[:3]
        assert new["modelVersion"] in seen or len(seen) == 1
        run("models", "rollback", "--data", DATA)
        ask_until(server, lambda response: response["modelVersion"] == old)


@suite.test
def import_works_beside_a_running_server():
    extra = folder / "extra"
    extra.mkdir()
    (extra / "items.jsonl").write_text(json.dumps({
        "id": "NEW-1", "title": "Freshly imported teapot", "categories": ["Kitchen"],
        "price": 21.5, "currency_code": "GBP", "stock": 5}) + "\n")
    (extra / "events.jsonl").write_text(json.dumps({
        "event_id": "beside-1", "type": "view", "customer_id": "beside", "item_id": "NEW-1",
        "time": "2026-06-30T10:00:00Z"}) + "\n")
    with Server(DATA) as server:
        run("import", "--data", DATA, extra / "items.jsonl", extra / "events.jsonl")
        assert server.ask("profile", "--customer", "beside")["itemIds"] == ["NEW-1"]


@suite.test
def a_brand_new_item_appears_by_the_weight_of_new_arrivals():
    arrival = folder / "arrival"
    arrival.mkdir()
    (arrival / "items.jsonl").write_text(json.dumps({
        "id": "NEW-2", "title": "Nobody has seen this kettle", "categories": ["Kitchen"],
        "price": 30, "currency_code": "GBP", "stock": 5}) + "\n")
    run("import", "--data", DATA, arrival / "items.jsonl")

    def shown(weight):
        with Server(DATA, "--source-weights.new-arrival", weight) as server:
            items = server.ask("recommend", "--customer", KNOWN)["items"]
        return "NEW-2" in [item["id"] for item in items]
    assert shown("100"), "a weight of 100 does not bring the newest item to the top"
    assert not shown("0"), "a weight of 0 shows an item that nothing speaks for"


@suite.test
def train_on_a_missing_folder_says_so_and_makes_none():
    missing = folder / "no-such-folder"
    fails("train", "--data", missing, says=("no such folder", missing))
    assert not missing.exists()


@suite.test
def acknowledged_events_survive_kill_9():
    with Server(DATA) as server:
        for number in range(5):
            server.ask("event", "--customer", "survivor", "--item", "KI00-00001",
                       "--id", f"survivor-{number}", "--time", f"2026-06-30T10:00:0{number}Z")
        server.stop(signal.SIGKILL)
    with Server(DATA) as server:
        assert len(server.ask("profile", "--customer", "survivor")["events"]) == 5
        again = server.ask("event", "--customer", "survivor", "--item", "KI00-00001",
                           "--id", "survivor-0", "--time", "2026-06-30T10:00:00Z")
        assert again["duplicates"] == 1


@suite.test
def a_folder_without_a_model_serves_popular_items_degraded():
    with Folder() as fresh:
        run("import", "--data", fresh / "data", SHOP / "items.jsonl", SHOP / "events.jsonl")
        with Server(fresh / "data") as server:
            response = server.ask("recommend", "--customer", KNOWN)
            assert response["degraded"] and len(response["items"]) == 10
            assert response["modelVersion"] == ""


@suite.test
def a_damaged_model_is_refused_and_the_previous_one_serves():
    with Folder() as fresh:
        data = fresh / "data"
        run("import", "--data", data, SHOP / "items.jsonl", SHOP / "events.jsonl")
        run("train", "--data", data, "--set", "factors=16")
        with Server(data) as server:
            good = server.ask("recommend", "--customer", KNOWN)["modelVersion"]
        run("train", "--data", data, "--set", "factors=24")
        current = (data / "bundles" / "CURRENT").read_text().strip()
        victim = max((data / "bundles" / current).glob("*"), key=lambda path: path.stat().st_size)
        with open(victim, "r+b") as file:
            file.seek(victim.stat().st_size // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x40]))
        done = run("models", "verify", current, "--data", data, status=1)
        assert victim.name in done.stdout + done.stderr
        with Server(data) as server:
            assert server.ask("recommend", "--customer", KNOWN)["modelVersion"] == good


@suite.test
def http_answers_probes_and_metrics():
    with Server(DATA, http=True) as server:
        server.ask("recommend", "--customer", KNOWN)

        def get(path):
            with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}{path}",
                                        timeout=10) as response:
                return response.status, response.read().decode()
        assert get("/livez")[0] == 200
        assert get("/readyz")[0] == 200
        status, metrics = get("/metrics")
        assert status == 200 and "grpc_server_handled_total" in metrics
        assert 'grpc_method="Recommend"' in metrics
        try:
            get("/nothing")
            raise AssertionError("an unknown path was answered")
        except urllib.error.HTTPError as error:
            assert error.code == 404


def fails(*args, says, status=1):
    done = run(*args, status=status, timeout=60)
    for text in (says if isinstance(says, tuple) else (says,)):
        assert str(text) in done.stderr, f"'{text}' is not in: {done.stderr}"


@suite.test
def operating_mistakes_are_told_with_what_and_where():
    with Server(DATA) as server:
        fails("serve", "--data", DATA, "--listen", "127.0.0.1:0", says=str(server.process.pid))
        with Folder() as fresh:
            fails("serve", "--data", fresh / "data", "--listen", server.target,
                  says=str(server.port))
    with Folder() as fresh:
        bad = fresh / "bad.yaml"
        bad.write_text("listen: 127.0.0.1:0\nmax-in-fligth: 5\n")
        fails("serve", "--data", DATA, "--config", bad, "--check-config", status=2,
              says=("bad.yaml:2", "max-in-fligth", "max-in-flight"))
        bad.write_text("history-max: 100000\n")
        fails("serve", "--data", DATA, "--config", bad, "--check-config", status=2,
              says=("bad.yaml:1", "history-max", "1000"))
        file = fresh / "file"
        file.write_text("")
        fails("serve", "--data", file / "data", says=str(file))
    for told in (("--drain-grace", "61m"), ("--drain-linger", "60d")):
        fails("serve", "--data", DATA, *told, "--check-config", status=2, says=told)
    fails("event", "--timeout", "60d", "--item", "x", status=2, says=("--timeout", "60d"))
    fails("serve", "--data", DATA, "--role", "ranking", status=2, says="--profile")
    fails("serv", "--data", DATA, status=2, says="serve")
    fails("recommend", "--target", "127.0.0.1:1", "--customer", "x", "--timeout", "2s",
          says="127.0.0.1:1")


@suite.test
def wrong_requests_are_told_the_field_and_the_limit():
    with Server(DATA) as server:
        at = ("--target", server.target)
        fails("recommend", *at, "--customer", "x", "-n", "0", status=2, says=("n", "200"))
        fails("recommend", *at, "--customer", "x", "-n", "201", status=2, says=("n", "200"))
        fails("recommend", *at, "--customer", "x" * 129, status=2, says=("customer_id", "128"))
        fails("event", *at, "--customer", "x", "--item", "a", "--time", "1999-12-31T23:59:59Z",
              says="time")
        fails("event", *at, "--customer", "x", "--item", "a", "--time", "2099-01-01T00:00:00Z",
              says="time")
        fails("event", *at, "--item", "a", says="customer_id")
        fails("event", *at, "--customer", "x", "--item", "a", "--revenue=-1", says="revenue")
        fails("similar", *at, "no-such-sku", says="no-such-sku")


@suite.test
def sigterm_ends_with_status_0():
    server = Server(DATA)
    assert server.stop() == 0
    assert server.wait_for("stopped")


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
