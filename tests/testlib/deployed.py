"""A whole cell for tests, as it is deployed: profile, candidate and ranking processes that speak
mutual TLS, behind the gateway. Certificates and keys are made for it, ports are free ones."""

import hashlib
import json
import pathlib
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

from vitrine import ROOT, WAIT_S, Server, Skip, bin_dir

KEYS = {"storefront": "storefront-key-of-the-tests", "operator": "operator-key-of-the-tests",
        "marketer": "marketer-key-of-the-tests", "trainer": "trainer-key-of-the-tests"}


def sha256(key):
    """As the keys file has it."""
    return hashlib.sha256(key.encode()).hexdigest()


def free_port():
    """A port that nobody listens on now. Who binds it next is a race that tests lose rarely."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def envoy_program():
    """The path of an Envoy, or Skip where none can be had."""
    done = subprocess.run([ROOT / "deploy/gateway/envoy.sh"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(f"Envoy cannot be installed: {(done.stderr or 'no reason').splitlines()[-1]}")
    return done.stdout.strip().splitlines()[-1]


def make_certificates(folder, *more):
    subprocess.run([ROOT / "deploy/certs.sh", folder, *map(str, more)], check=True,
                   capture_output=True)


def tls(certs, name="server"):
    """What `vitrine` wants to hear to be `name`."""
    return ["--tls-cert", certs / f"{name}.pem", "--tls-key", certs / f"{name}.key",
            "--tls-ca", certs / "ca.pem"]


def parsed(text):
    """One JSON value; of a stream, a line a message, the list of them."""
    try:
        return json.loads(text)
    except ValueError:
        return [json.loads(line) for line in text.splitlines()]


class Gateway:
    """Envoy with a rendered configuration; ready when the constructor returns. `kept` are options of
    vitrine-gateway that keeps it; None: Envoy alone, which ends at once."""

    def __init__(self, folder, certs, ranking, profile, kept=None, **values):
        self.folder, self.certs, self.kept = pathlib.Path(folder), certs, kept
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port, self.admin_port, self.metrics_port = (free_port() for _ in range(3))
        self.url = f"https://localhost:{self.port}"
        self.target = f"localhost:{self.port}"
        self.values = {**self.basic_values(ranking, profile), **values}
        self.render()
        self.log_path, self.errors_path = self.folder / "access.log", self.folder / "envoy.log"
        self.start()

    def start(self):
        """Once more after stop(), on the same ports."""
        keeper = [] if self.kept is None else [
            bin_dir() / "vitrine-gateway", "--admin", f"127.0.0.1:{self.admin_port}", *self.kept, "--"]
        self.log_file = open(self.log_path, "w", encoding="utf-8")
        self.process = subprocess.Popen(
            [*keeper, envoy_program(), "-c", self.folder / "out" / "envoy.yaml", "--log-level",
             "warning", "--concurrency", "2", "--disable-hot-restart", "--drain-time-s", "1",
             "--file-flush-interval-msec", "100"],
            stdout=self.log_file, stderr=open(self.errors_path, "w", encoding="utf-8"))
        self.wait_ready()

    def basic_values(self, ranking, profile):
        keys = self.folder / "keys.txt"
        if not keys.exists():
            keys.write_text("".join(f"{sha256(key)} {role} {role}-of-tests 100000\n"
                                    for role, key in KEYS.items()))
            keys.chmod(0o600)
        return {
            "listen": f"127.0.0.1:{self.port}", "admin": f"127.0.0.1:{self.admin_port}",
            "metrics": f"127.0.0.1:{self.metrics_port}", "keys": str(keys),
            "certificates": {
                "server": {"cert": f"{self.certs}/server.pem", "key": f"{self.certs}/server.key"},
                "services": {"cert": f"{self.certs}/gateway.pem", "key": f"{self.certs}/gateway.key",
                             "ca": f"{self.certs}/ca.pem", "name": "localhost"}},
            "upstreams": {"ranking": ranking, "profile": profile}}

    def render(self):
        """JSON is YAML, so the values need no library here."""
        path = self.folder / "values.yaml"
        path.write_text(json.dumps(self.values))
        done = subprocess.run([ROOT / "deploy/gateway/render.py", "--values", path, "--out",
                               self.folder / "out"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def wait_ready(self):
        """Until Envoy serves and its health checks have seen every service."""
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            assert self.process.poll() is None, self.errors_path.read_text()[-3000:]
            if self.is_ready():
                return
            time.sleep(0.05)
        raise AssertionError(f"the gateway was not ready: {self.errors_path.read_text()[-3000:]}")

    def is_ready(self):
        try:
            if self.admin("/ready").strip() != "LIVE":
                return False
            hosts = [line for line in self.admin("/clusters").splitlines()
                     if "::health_flags::" in line and line.startswith(("ranking", "profile"))]
            return bool(hosts) and all(line.endswith("::healthy") for line in hosts)
        except OSError:
            return False

    def admin(self, path):
        address = f"http://127.0.0.1:{self.admin_port}{path}"
        with urllib.request.urlopen(address, timeout=5) as answer:
            return answer.read().decode()

    def call(self, path, body=None, role="storefront", headers=(), method=None):
        """(status, headers, JSON or text) of a call of the REST form; `role` None: no key."""
        request = urllib.request.Request(
            self.url + path, method=method,
            data=body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        if role is not None:
            request.add_header("x-api-key", KEYS.get(role, role))
        for name, value in dict(headers).items():
            request.add_header(name, value)
        trust = ssl.create_default_context(cafile=str(self.certs / "ca.pem"))
        try:
            answer = urllib.request.urlopen(request, timeout=WAIT_S, context=trust)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
            is_json = answer.headers.get("content-type", "").startswith("application/json")
            return answer.status, answer.headers, parsed(text) if is_json and text else text

    def access_log(self):
        return [json.loads(line) for line in self.log_path.read_text().splitlines() if line]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(WAIT_S)
        self.log_file.close()


class DeployedCell:
    """Services and gateway over a data folder; `values` are those of the gateway."""

    def __init__(self, data, folder, rankings=2, service_options=(), **values):
        self.data, self.folder = data, pathlib.Path(str(folder))
        self.options = list(service_options)
        self.certs = self.folder / "certs"
        self.folder.mkdir(parents=True, exist_ok=True)
        make_certificates(self.certs)
        self.profile = self.serve("profile")
        self.candidate = self.serve("candidate")
        self.rankings = [self.serve("ranking") for _ in range(rankings)]
        self.gateway = Gateway(self.folder / "gateway", self.certs,
                               [server.target for server in self.rankings],
                               [self.profile.target], **values)

    def serve(self, role, port=0):
        """One more process of a role; `port`: one it had before."""
        args = ["--role", role, *tls(self.certs), *self.options]
        if role != "profile":
            args += ["--profile", self.profile.target]
        if role == "ranking":
            args += ["--candidate", self.candidate.target]
        if port:
            args += ["--listen", f"127.0.0.1:{port}"]
        return Server(self.data, *args, http=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gateway.stop()
        for server in (*self.rankings, self.candidate, self.profile):
            server.stop()
