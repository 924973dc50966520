#!/usr/bin/env python3
"""Alert rules and dashboard against a cell that runs: rules by promtool, every metric that they name
at /metrics, every query of every panel by a real Prometheus, every alert in the operations page."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from deployed import free_port, make_certificates, tls  # noqa: E402
from vitrine import ROOT, Folder, Server, Skip, Suite, run  # noqa: E402

suite = Suite("deploy/seeing")
folder = Folder()
RULES = ROOT / "deploy/prometheus/alerts.yml"
DASHBOARD = json.loads((ROOT / "deploy/grafana/vitrine.json").read_text())
METRIC = re.compile(r"\b((?:vitrine|grpc|process)_[a-z0-9_]+)\b")
LABELS = {"grpc_method", "grpc_service", "grpc_code", "grpc_type"}
state = {}


def panels():
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def queries():
    return [target["expr"] for panel in panels() for target in panel["targets"]]


def cell():
    """profile, candidate and ranking over TLS, each asked once."""
    if "cell" not in state:
        data, certs = folder / "data", folder / "certs"
        run("demo-data", "--out", folder / "shop", "--customers", 300, "--items", 200, "--days", 30)
        run("import", "--data", data, *sorted((folder / "shop").glob("*.jsonl")))
        run("train", "--data", data, "--algorithm", "ials", "--set", "iterations=2")
        make_certificates(certs, "server", "storefront")
        secure = tls(certs)
        profile = Server(data, "--role", "profile", *secure, http=True)
        candidate = Server(data, "--role", "candidate", "--profile", profile.target, *secure,
                           http=True)
        ranking = Server(data, "--role", "ranking", "--profile", profile.target, "--candidate",
                         candidate.target, *secure, "--otlp", f"127.0.0.1:{free_port()}", "--trace-sample",
                         1, http=True)
        state["cell"] = {"profile": profile, "candidate": candidate, "ranking": ranking}
        run("recommend", "--target", ranking.target, "--customer", "C000001",
            *tls(certs, "storefront"))
    return state["cell"]


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def exported():
    """The names of all families of all three."""
    names = set()
    for server in cell().values():
        for line in fetch(server.http_port, "/metrics").splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                names |= {name, *((name + end for end in ("_bucket", "_sum", "_count"))
                                  if kind == "histogram" else ())}
    return names


def named_in(text):
    return set(METRIC.findall(re.sub(r"vitrine:[a-z0-9_:]+", "", text))) - LABELS


@suite.test
def promtool_finds_the_rules_right_and_their_tests_pass():
    if shutil.which("promtool") is None:
        raise Skip("promtool is not installed")
    for args in (("check", "rules", RULES), ("test", "rules", RULES.with_name("alerts_test.yml"))):
        done = subprocess.run(["promtool", *args], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@suite.test
def every_metric_of_rules_and_panels_is_exported():
    wanted = named_in(" ".join(queries())) | named_in(
        " ".join(re.findall(r"expr: (?:\|\n(?: {10}.*\n)+|.*)", RULES.read_text())))
    assert len(wanted) > 25, wanted
    missing = wanted - exported()
    assert not missing, missing


@suite.test
def every_alert_has_its_answer_in_the_operations_page():
    text = "".join(page.read_text() for page in sorted((ROOT / "docs").glob("operations*.md")))
    alerts = re.findall(r"alert: (\w+)", RULES.read_text())
    assert len(alerts) > 15
    missing = [alert for alert in alerts if f"**{alert}**" not in text]
    assert not missing, missing


@suite.test
def a_prometheus_that_scrapes_the_cell_answers_every_panel():
    if shutil.which("prometheus") is None:
        raise Skip("prometheus is not installed")
    targets = "".join(f"  - {{targets: ['127.0.0.1:{server.http_port}'], labels: {{role: {role}}}}}\n"
                      for role, server in cell().items())
    config = folder / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{RULES}']\n"
                      f"scrape_configs:\n- job_name: vitrine\n  static_configs:\n{targets}")
    port = free_port()
    process = subprocess.Popen(
        ["prometheus", "--config.file", str(config), "--storage.tsdb.path", str(folder / "tsdb"),
         "--web.listen-address", f"127.0.0.1:{port}", "--log.level", "error"])
    try:
        wait_for_samples(port)
        empty = [query for query in queries() if not answered(port, query)]
        # What is only there in bad times may be empty, and is right to be.
        assert all(" > 0" in query for query in empty), empty
        rules = json.loads(fetch(port, "/api/v1/rules"))["data"]["groups"]
        wrong = [rule["name"] for group in rules for rule in group["rules"]
                 if rule["health"] == "err"]
        assert rules and not wrong, wrong
    finally:
        process.terminate()
        process.wait(30)


def ask(port, query):
    text = query.replace("$__rate_interval", "10s")
    answer = json.loads(fetch(port, "/api/v1/query?" + urllib.parse.urlencode({"query": text})))
    assert answer["status"] == "success", answer
    return answer["data"]["result"]


def answered(port, query):
    return bool(ask(port, query))


def wait_for_samples(port):
    """Until a rate of something can be made of every process."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if len(ask(port, "rate(process_cpu_seconds_total[10s])")) == len(cell()):
                return
        except OSError:
            pass
        time.sleep(0.2)
    raise AssertionError("Prometheus has not scraped every process")


@suite.test
def the_dashboard_is_one_that_grafana_takes():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids) and DASHBOARD["schemaVersion"] >= 36
    for panel in panels():
        assert panel["title"] and panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24, panel
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"]), panel


try:
    suite.run()
finally:
    for server in state.get("cell", {}).values():
        server.stop()
