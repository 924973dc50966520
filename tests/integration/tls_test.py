#!/usr/bin/env python3
"""Who may call: real certificates, every method with every role, renewal, three processes."""

import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from tools import venv_python  # noqa: E402
from vitrine import ROOT, VITRINE, Folder, Server, Suite, run, run_json  # noqa: E402

suite = Suite("tls")
folder = Folder()
CERTS = folder / "certs"
DATA = folder / "data"
ROLES = ["storefront", "trainer", "operator", "marketer", "read-only", "service", "gateway"]


def certs_sh(*args, into=CERTS):
    subprocess.run([ROOT / "deploy" / "certs.sh", into, *args], check=True, timeout=60,
                   capture_output=True)


def flags(name, folder_=CERTS, ca="ca"):
    return ["--tls-cert", folder_ / f"{name}.pem", "--tls-key", folder_ / f"{name}.key",
            "--tls-ca", folder_ / f"{ca}.pem"]


def serve(*args, data=DATA, **more):
    return Server(data, *flags("server"), *args, http=True, **more)


def ask(server, command, *args, who, status=0):
    return run(command, "--target", server.target, *args, *who, status=status, timeout=60)


def page(server, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}{path}", timeout=30) as got:
        return got.read().decode()


def metric(server, name):
    found = re.search(rf"^{re.escape(name)} (\S+)$", page(server, "/metrics"), re.M)
    return float(found.group(1)) if found else None


def promised():
    """{path: {role}} of the table in docs/api.md."""
    table = {}
    for line in (ROOT / "docs" / "api.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 1 + len(ROLES) and re.fullmatch(r"`[\w.]+/\w+`", cells[0]):
            path = cells[0].strip("`")
            path = "/" + path if path.startswith("grpc.") else "/vitrine.v1." + path
            table[path] = {role for role, cell in zip(ROLES, cells[1:]) if cell == "yes"}
    assert len(table) > 20, table
    return table


def served_certificate(server):
    """What a new connection is shown: the certificate's bytes."""
    context = ssl.create_default_context(cafile=CERTS / "ca.pem")
    context.load_cert_chain(CERTS / "operator.pem", CERTS / "operator.key")
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.getpeercert(binary_form=True)


@suite.test
def the_script_makes_what_a_cell_needs():
    certs_sh()
    for name in ["ca", "server", *ROLES]:
        assert (CERTS / f"{name}.pem").exists()
        assert (CERTS / f"{name}.key").stat().st_mode & 0o077 == 0, name
    for role in ROLES:
        subprocess.run(["openssl", "verify", "-purpose", "sslclient", "-CAfile", CERTS / "ca.pem",
                        CERTS / f"{role}.pem"], check=True, capture_output=True, timeout=30)


@suite.test
def each_role_asks_with_our_client_what_it_may():
    with serve() as server:
        for role in ROLES:
            may = role in ("storefront", "operator", "marketer", "read-only")
            done = ask(server, "recommend", "--customer", "c1", who=flags(role),
                       status=0 if may else 1)
            if not may:
                assert f"Recommend may not be called as {role}" in done.stderr, done.stderr
            may = role in ("storefront", "operator")
            done = ask(server, "event", "--customer", "c1", "--type", "view", "--item", "i1",
                       who=flags(role), status=0 if may else 1)
            if not may:
                assert "the roles that may: storefront, operator" in done.stderr, done.stderr
        denied = metric(server, 'grpc_server_handled_total{grpc_type="unary",grpc_service='
                                '"vitrine.v1.EventService",grpc_method="WriteEvents",'
                                'grpc_code="PermissionDenied"}')
        assert denied == 5, denied


@suite.test
def strangers_get_no_connection():
    certs_sh(into=folder / "foreign")
    certs_sh("--days", "-1", "operator", into=folder / "foreign")
    shutil.copytree(CERTS, folder / "late")
    certs_sh("--days", "-1", "operator", into=folder / "late")
    with serve() as server:
        foreign = [*flags("marketer", folder / "foreign")[:4], "--tls-ca", CERTS / "ca.pem"]
        done = ask(server, "recommend", "--customer", "c1", who=foreign, status=1)
        assert "does each side trust the other" in done.stderr, done.stderr
        done = ask(server, "recommend", "--customer", "c1", who=flags("operator", folder / "late"),
                   status=2)
        assert "has expired" in done.stderr, done.stderr  # told before anything is sent
        done = ask(server, "recommend", "--customer", "c1", who=["--tls-ca", CERTS / "ca.pem"],
                   status=1)
        assert "content without --tls-cert" in done.stderr, done.stderr
        done = ask(server, "recommend", "--customer", "c1", who=[], status=1)
        assert "without TLS" in done.stderr, done.stderr
        done = ask(server, "recommend", "--customer", "c1", status=1,
                   who=[*flags("operator"), "--tls-server-name", "elsewhere.example"])
        assert "elsewhere.example is not in peer certificate" in done.stderr, done.stderr


@suite.test
def the_server_itself_refuses_bad_certificates():
    """Not our client's care for its own files: a bare TLS client shows what it likes."""
    def handshake(server, certificate):
        context = ssl.create_default_context(cafile=CERTS / "ca.pem")
        if certificate is not None:
            context.load_cert_chain(certificate.with_suffix(".pem"),
                                    certificate.with_suffix(".key"))
        context.set_alpn_protocols(["h2"])
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
            with context.wrap_socket(plain, server_hostname="localhost") as secure:
                secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
                return secure.recv(9)  # the server's SETTINGS, or the end

    def is_refused(server, certificate):
        try:
            return handshake(server, certificate) == b""
        except (ssl.SSLError, ConnectionError):
            return True

    with serve() as server:
        assert handshake(server, CERTS / "operator")[3] == 4  # a SETTINGS frame
        for bad in (None, folder / "foreign" / "marketer", folder / "late" / "operator"):
            assert is_refused(server, bad), bad
        assert handshake(server, CERTS / "operator")[3] == 4


EVERY_PAIR = """
import json, sys, grpc
target, certs, table, roles = json.load(sys.stdin)
read = lambda name: open(f"{certs}/{name}", "rb").read()
same = lambda body: body
def code_of(channel, path, metadata=()):
    call = channel.stream_stream(path, same, same)(iter([b""]), timeout=20, metadata=metadata)
    try:
        for _ in call:
            break
        return "OK"
    except grpc.RpcError as error:
        return error.code().name
    finally:
        call.cancel()
def channel_as(role):
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(
        read("ca.pem"), read(f"{role}.key"), read(f"{role}.pem")))
answers = {}
for role in roles:
    with channel_as(role) as channel:
        for path in table:
            answers[f"{role} {path}"] = code_of(channel, path)
with channel_as("gateway") as channel:
    for role in roles:
        for path in table:
            answers[f"gateway as {role} {path}"] = code_of(channel, path, [("vitrine-role", role)])
with channel_as("storefront") as channel:
    for role in roles:
        answers[f"storefront as {role}"] = code_of(
            channel, "/grpc.health.v1.Health/Check", [("vitrine-role", role)])
print(json.dumps(answers))
"""


@suite.test
def every_method_with_every_role_by_grpcio():
    table = promised()
    with serve(data=folder / "pairs") as server:
        question = json.dumps([server.target, str(CERTS), list(table), ROLES])
        done = subprocess.run([venv_python(), "-c", EVERY_PAIR], input=question, text=True,
                              capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        answers = json.loads(done.stdout)
    outside = set(ROLES) - {"service", "gateway"}
    for path, may in table.items():
        for role in ROLES:
            denied = answers[f"{role} {path}"] == "PERMISSION_DENIED"
            assert denied == (role not in may), (role, path, answers[f"{role} {path}"])
            denied = answers[f"gateway as {role} {path}"] == "PERMISSION_DENIED"
            allowed = role in may and (role in outside or role == "gateway")
            assert denied == (not allowed), ("gateway as", role, path)
    assert not {"UNAVAILABLE", "UNAUTHENTICATED", "INTERNAL"} & set(answers.values())
    for role in ROLES:
        denied = answers[f"storefront as {role}"] == "PERMISSION_DENIED"
        assert denied == (role != "storefront"), role


NARROWED = """
import sys, grpc
same = lambda body: body
def code_of(target, path, *roles):
    with grpc.insecure_channel(target) as channel:
        try:
            channel.unary_unary(path, same, same)(
                b"", timeout=20, metadata=[("vitrine-role", role) for role in roles])
            return "OK"
        except grpc.RpcError as error:
            return error.code().name
checkpoint, check = "/vitrine.v1.AdminService/Checkpoint", "/grpc.health.v1.Health/Check"
port, admin = sys.argv[1:]
print(code_of(port, checkpoint), code_of(admin, checkpoint),
      code_of(admin, checkpoint, "operator"), code_of(port, check, "trainer"),
      code_of(port, "/vitrine.v1.EventService/WriteEvents", "trainer"),
      code_of(port, check, "trainer", "operator"))
"""


@suite.test
def a_plaintext_port_trusts_its_callers_but_only_the_admin_socket_with_everything():
    data = folder / "plain"
    for listen in ("127.0.0.1:0", f"unix:{folder / 'port.sock'}"):
        with Server(data, "--listen", listen, http=True) as server:
            assert page(server, "/livez") == "ok\n", listen
            target = server.target if listen.startswith("127") else listen
            done = subprocess.run([venv_python(), "-c", NARROWED, target,
                                   f"unix:{data / 'admin.sock'}"],
                                  capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr[-3000:]
            assert done.stdout.split() == ["PERMISSION_DENIED", "INVALID_ARGUMENT",
                                           "PERMISSION_DENIED", "OK", "PERMISSION_DENIED",
                                           "PERMISSION_DENIED"], (listen, done.stdout)


@suite.test
def renewal_under_load_fails_no_call_and_shows():
    with serve() as server:
        before = served_certificate(server)
        assert metric(server, "vitrine_tls_reloads_total{result=\"taken\"}") == 0
        until = metric(server, "vitrine_tls_not_after_seconds{file=\"cert\"}")
        load = subprocess.Popen(
            [str(pathlib.Path(VITRINE).with_name("vitrine-load")), "recommend", "--target",
             server.target, *map(str, flags("operator")), "--rate", "200", "--duration", "4s",
             "--connections", "2", "--timeout", "20s", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        seen = len(server.log)
        certs_sh("--days", "30")
        server.wait_for("tls_files_taken", after=seen)
        assert served_certificate(server) != before
        for _ in range(5):  # new connections, while the load goes on with its own
            ask(server, "recommend", "--customer", "c1", who=flags("operator"))
        said, errors = load.communicate(timeout=60)
        report = json.loads(said)
        assert report["errors"] == {} and report["ok"] == report["sent"] > 0, (report, errors)
        assert metric(server, "vitrine_tls_reloads_total{result=\"taken\"}") == 1
        assert metric(server, "vitrine_tls_not_after_seconds{file=\"cert\"}") < until


@suite.test
def a_broken_file_changes_nothing_but_log_and_metric():
    with serve() as server:
        before = served_certificate(server)
        good = (CERTS / "server.key").read_text()
        seen = len(server.log)
        (CERTS / "server.key").write_text("garbage\n")
        line = server.wait_for("tls_files_refused", after=seen)
        assert line["level"] == "error" and "server.key" in line["text"], line
        assert metric(server, "vitrine_tls_files_broken") == 1
        assert served_certificate(server) == before
        assert page(server, "/livez") == "ok\n"
        seen = len(server.log)
        (CERTS / "server.key").write_text(good)
        server.wait_for("tls_files_taken", after=seen)
        assert metric(server, "vitrine_tls_files_broken") == 0
        assert served_certificate(server) == before


@suite.test
def probes_and_the_admin_socket_work_beside_tls():
    with serve() as server:
        assert page(server, "/livez") == "ok\n"
        assert page(server, "/readyz") == "ready\n"
        assert (DATA / "admin.sock").stat().st_mode & 0o777 == 0o600
        items = folder / "items.jsonl"
        items.write_text('{"id":"tls-1","title":"Lock","price":5,"currency":"EUR"}\n')
        run("import", "--data", DATA, "--format", "jsonl", items)


@suite.test
def three_processes_call_each_other_by_certificate():
    shop, data = folder / "shop", folder / "cell"
    run_json("demo-data", "--out", shop, "--customers", "600", "--items", "200", "--days", "30")
    run("import", "--data", data, *(shop / f"{name}.jsonl" for name in (
        "items", "customers", "channels", "events")))
    run("train", "--data", data, "--set", "factors=8")
    who = flags("storefront")
    asked = ("--customer", "C000042", "-n", "10", "--json")
    with serve(data=data) as server:
        alone = json.loads(ask(server, "recommend", *asked, who=who).stdout)
    assert not alone.get("degraded"), alone
    with serve("--role", "profile", data=data) as profile:
        with serve("--role", "candidate", "--profile", profile.target, data=data) as candidate:
            with serve("--role", "ranking", "--profile", profile.target, "--candidate",
                       candidate.target, data=data) as ranking:
                got = json.loads(ask(ranking, "recommend", *asked, who=who).stdout)
                assert not got.get("degraded"), got
                assert [item["id"] for item in got["items"]] == [
                    item["id"] for item in alone["items"]]
                calls = metric(profile, 'grpc_server_handled_total{grpc_type="unary",grpc_service='
                                        '"vitrine.v1.ProfileService",grpc_method="GetProfile",'
                                        'grpc_code="OK"}')
                assert calls > 0
                done = ask(candidate, "recommend", *asked, who=who, status=1)
                assert "UNIMPLEMENTED" in done.stderr, done.stderr


@suite.test
def a_part_without_tls_reaches_nobody_and_says_degraded():
    data = folder / "cell"
    with serve("--role", "profile", data=data) as profile:
        with serve("--role", "candidate", "--profile", profile.target, data=data) as candidate:
            with Server(data, "--role", "ranking", "--profile", profile.target, "--candidate",
                        candidate.target, wait_ready=False) as ranking:
                got = ranking.ask("recommend", "--customer", "C000042")
                assert got["degraded"], got


@suite.test
def mistakes_are_told_before_anything_is_opened():
    missing = folder / "nothing"
    server = flags("server")

    def told(*args):
        done = run("serve", "--data", missing, "--check-config", *args, status=2)
        assert not missing.exists()
        return done.stderr

    assert "tls-key: is missing" in told(*server[:2], *server[4:])
    assert "tls-ca: is missing" in told(*server[:4])
    assert "nowhere.pem: No such file" in told("--tls-cert", folder / "nowhere.pem", *server[2:])
    assert "is not the key of the certificate" in told(*server[:2], *flags("operator")[2:])
    assert "does not do for serving" in told(*flags("operator"))
    assert "issuer" in told(*server[:4], "--tls-ca", folder / "foreign" / "ca.pem")
    for address in ("0.0.0.0:0", "[::]:0"):
        said = told("--listen", address)
        assert "--tls-cert" in said and "127.0.0.1" in said, said
    run("serve", "--data", missing, "--check-config", "--listen", "0.0.0.0:0", *server)
    word = "--i-accept-plaintext-from-the-network"
    run("serve", "--data", missing, "--check-config", "--listen", "0.0.0.0:0", word)
    assert "leave one of them out" in told(*server, word)


suite.run()
