#!/usr/bin/env python3
"""Certificates of gateway and services, and the authority behind them, are replaced under load
through the gateway. No call fails."""

import json
import os
import pathlib
import socket
import ssl
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from background_load import BackgroundLoad  # noqa: E402
from deployed import KEYS, DeployedCell, envoy_program, make_certificates, tls  # noqa: E402
from vitrine import WAIT_S, Folder, Skip, Suite, run  # noqa: E402

LONG = os.environ.get("VITRINE_TEST_ALL") == "1"
RATE, TIMEOUT = (500, "1s") if LONG else (50, "5s")
ROUNDS = 10
suite = Suite("deploy/rotation")
folder = Folder()
DATA, NEW, TRUST = folder / "data", folder / "new", folder / "trust.pem"
state = {}


def cell():
    """One cell for all cases: it takes seconds to start."""
    if "cell" not in state:
        envoy_program()
        run("demo-data", "--out", folder / "shop", "--customers", 300, "--items", 200, "--days", 30)
        run("import", "--data", DATA, *sorted((folder / "shop").glob("*.jsonl")))
        run("train", "--data", DATA, "--algorithm", "ials", "--set", "iterations=2")
        state["cell"] = DeployedCell(DATA, folder / "cell", service_options=["--drain-linger", "1s"])
        make_certificates(NEW)
        # Callers of the gateway have been told of the next authority.
        TRUST.write_text((cell().certs / "ca.pem").read_text() + (NEW / "ca.pem").read_text())
    return state["cell"]


def services():
    return [cell().profile, cell().candidate, *cell().rankings]


def load():
    return BackgroundLoad(cell().gateway.target, "--tls-ca", TRUST,
                          "--metadata", f"x-api-key={KEYS['operator']}", "--connections", 4,
                          "--customers", 300, rate=RATE, timeout=TIMEOUT)


def until(condition, what):
    """Polls: the gateway has no log to wait for."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def shown(port):
    """The certificate that a new connection is shown, as PEM; whether we may stay matters not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return ssl.DER_cert_to_PEM_cert(secure.getpeercert(binary_form=True))


def await_shown():
    """Until gateway and services show to new connections what is in the files."""
    wanted = (cell().certs / "server.pem").read_text()
    for port in (cell().gateway.port, *(server.port for server in services())):
        until(lambda port=port: shown(port) == wanted, f"{port} shows the old one")


def put(name, text):
    """In place by rename, as whoever renews files should."""
    path = cell().certs / name
    new = path.with_name(f".new-{name}")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(path)


def put_authorities(*authorities):
    """What gateway and services trust from now on; returns when all of them do."""
    seen = [len(server.log) for server in services()]
    put("ca.pem", "".join(authorities))
    for server, after in zip(services(), seen):
        server.wait_for("tls_files_taken", after=after)
    until(lambda: gateway_trusts() == {len(authorities)}, "the gateway trusts as before")


def gateway_trusts():
    """How many authorities of the services the gateway knows; for a moment more than one number."""
    certificates = json.loads(cell().gateway.admin("/certs"))["certificates"]
    return {len(entry["ca_cert"]) for entry in certificates if entry["ca_cert"]}


def reconnect():
    """One replica is started again: everybody connects to it anew, and it to everybody."""
    old = cell().rankings[0]
    assert old.stop() == 0
    cell().rankings[0] = cell().serve("ranking", old.port)
    until(cell().gateway.is_ready, "the gateway does not use it again")


def asks(certs):
    """The exit status of who asks a replica itself with the operator's certificate of there."""
    own = [*tls(certs, "operator")[:4], "--tls-ca", TRUST]
    return run("recommend", "--target", cell().rankings[1].target, "--customer", "C000001", *own,
               status=None).returncode


@suite.test
def new_certificates_fail_no_call():
    if not LONG:
        raise Skip("the next case but one renews them too; VITRINE_TEST_ALL=1 for ten times")
    with load() as calls:
        for _ in range(ROUNDS):
            make_certificates(cell().certs)
            await_shown()
            reconnect()
    print(f"# {ROUNDS} renewals: {calls}")
    assert calls.failed == 0 and calls.ok == calls.sent > 0, str(calls)


@suite.test
def files_that_do_not_fit_change_nothing():
    good = shown(cell().gateway.port)
    seen = [len(server.log) for server in services()]
    with load() as calls:
        put("server.key", (cell().certs / "operator.key").read_text())
        for server, after in zip(services(), seen):
            server.wait_for("tls_files_refused", after=after)
        assert all(shown(port) == good for port in
                   (cell().gateway.port, *(server.port for server in services())))
    assert calls.failed == 0 and calls.ok == calls.sent > 0, str(calls)
    make_certificates(cell().certs)
    await_shown()


@suite.test
def a_new_authority_fails_no_call():
    """Both are trusted, then the certificates are of the new one, then the old one is not."""
    old, new = (cell().certs / "ca.pem").read_text(), (NEW / "ca.pem").read_text()
    with load() as calls:
        put_authorities(old, new)
        for name in ("server", "gateway"):
            for kind in ("key", "pem"):
                put(f"{name}.{kind}", (NEW / f"{name}.{kind}").read_text())
        await_shown()
        assert asks(cell().certs) == 0 and asks(NEW) == 0
        put_authorities(new)
        assert asks(cell().certs) != 0 and asks(NEW) == 0
        reconnect()
    print(f"# a new authority: {calls}")
    assert calls.failed == 0 and calls.ok == calls.sent > 0, str(calls)


try:
    suite.run()
finally:
    if "cell" in state:
        state["cell"].__exit__()
    folder.close()
