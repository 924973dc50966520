#!/usr/bin/env python3
"""At a service port: who is no part of the cell gets nothing, and leaves nothing behind."""

import os
import pathlib
import re
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import time
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from vitrine import ROOT, WAIT_S, Folder, Server, Suite, run  # noqa: E402

warnings.simplefilter("ignore", DeprecationWarning)  # of TLS versions that nobody shall speak
suite = Suite("deploy/strangers")
folder = Folder()
CERTS, FOREIGN, LATE = folder / "certs", folder / "foreign", folder / "late"
NAMELESS = CERTS / "nameless"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # and SETTINGS
GROWTH_MAX_BYTES = 16 << 20
DESCRIPTORS = 200


def certs_sh(into, *args):
    subprocess.run([ROOT / "deploy" / "certs.sh", into, *args], check=True, timeout=60,
                   capture_output=True)


def certify(path, names):
    """A client certificate of the cell's own authority with these alternative names."""
    request, extensions = path.with_suffix(".csr"), path.with_suffix(".ext")
    extensions.write_text(f"extendedKeyUsage=clientAuth\nsubjectAltName={names}\n")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=operator", "-keyout", path.with_suffix(".key"), "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", CERTS / "ca.pem", "-CAkey", CERTS / "ca.key",
            "-set_serial", "7", "-days", "1", "-extfile", extensions,
            "-out", path.with_suffix(".pem"))


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, timeout=60, capture_output=True)


def flags(name):
    return ["--tls-cert", CERTS / f"{name}.pem", "--tls-key", CERTS / f"{name}.key",
            "--tls-ca", CERTS / "ca.pem"]


def serve(name, *args, **more):
    return Server(folder / name, *flags("server"), *args, http=True, **more)


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S)


def friend_asks(server):
    """An honest caller is answered, over a connection of its own: by ranking with a list, by the
    others with the word that they have no such call."""
    done = run("recommend", "--target", server.target, "--customer", "c1", *flags("operator"),
               status=None, timeout=60)
    assert done.returncode == 0 or "UNIMPLEMENTED" in done.stderr, done.stderr


# ---- kinds of strangers: each returns the bytes that it was given ----

def plain(*said):
    def talk(server):
        with connect(server) as wire:
            return tell(wire, b"".join(said))
    return talk


def tell(wire, said):
    """Says it, then reads to the end. Being cut off is the expected end."""
    got = b""
    try:
        wire.sendall(said)
        while chunk := wire.recv(4096):
            got += chunk
    except (ConnectionError, ssl.SSLError):
        pass
    return got


def over_tls(certificate=None, version=None):
    def talk(server):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        if version is not None:
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = context.maximum_version = version
        if certificate is not None:
            context.load_cert_chain(certificate.with_suffix(".pem"),
                                    certificate.with_suffix(".key"))
        with connect(server) as wire:
            try:
                with context.wrap_socket(wire, server_hostname="localhost") as secure:
                    return tell(secure, PREFACE)
            except (ConnectionError, ssl.SSLError):
                return b""
    return talk


STRANGERS = {  # what they do: the reason that is counted
    "HTTP/2 in plain text": (plain(PREFACE), "not_tls"),
    "HTTP/1 in plain text": (plain(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), "not_tls"),
    "garbage": (plain(bytes(range(200, 256)) * 8), "not_tls"),
    "no certificate": (over_tls(), "no_certificate"),
    "no certificate, TLS 1.2": (over_tls(version=ssl.TLSVersion.TLSv1_2), "no_certificate"),
    "another authority": (over_tls(FOREIGN / "operator"), "untrusted"),
    "out of date": (over_tls(LATE / "operator"), "untrusted"),
    "no role in it": (over_tls(NAMELESS), "no_role"),
    "no role in it, TLS 1.2": (over_tls(NAMELESS, ssl.TLSVersion.TLSv1_2), "no_role"),
    "TLS 1.1": (over_tls(CERTS / "operator", ssl.TLSVersion.TLSv1_1), "version"),
}
REASONS = ["not_tls", "no_certificate", "untrusted", "no_role", "version", "refused_by_peer", "other"]


def failures(server):
    return {reason: server.metric(f'vitrine_tls_handshakes_failed_total{{reason="{reason}"}}')
            for reason in REASONS}


def calls(server):
    """Of everybody but the parts of the cell and the prober: nobody else is there."""
    counts = re.findall(r'^grpc_server_started_total\{.*grpc_method="(\w+)"\} (\d+)$',
                        server.page("/metrics")[1], re.M)
    own = {"Watch", "Check", "GetProfile", "GetCandidates", "ListForgotten"}
    return sum(int(count) for method, count in counts if method not in own)


def until(condition, what):
    """Polls for what has no event to wait for: another process's descriptors, its own prober."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def descriptors(server):
    return len(os.listdir(f"/proc/{server.process.pid}/fd"))


def resident_bytes(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1)) << 10


def make_certificates():
    certs_sh(CERTS)
    certs_sh(FOREIGN)
    shutil.copytree(CERTS, LATE)
    certs_sh(LATE, "--days", "-1", "operator")
    certify(NAMELESS, "DNS:localhost,URI:spiffe://shop/operator,URI:vitrine://role/root")


make_certificates()
profile = serve("cell", "--role", "profile")
candidate = serve("cell", "--role", "candidate", "--profile", profile.target)
ranking = serve("cell", "--role", "ranking", "--profile", profile.target, "--candidate",
                candidate.target)
cell = {"profile": profile, "candidate": candidate, "ranking": ranking}
silent = connect(ranking)  # until the last case


@suite.test
def every_port_refuses_every_stranger_before_any_http2():
    for role, server in cell.items():
        started = calls(server)
        for what, (talk, reason) in STRANGERS.items():
            before = failures(server)
            got = talk(server)
            # A TLS alert in plain text (type 21) is the most that anybody is told.
            assert got == b"" or got[0] == 21, f"{role} told a stranger ({what}): {got[:60]!r}"
            after = failures(server)
            before[reason] += 1
            assert after == before, f"{role}, {what}: {after}, not {before}"
        assert calls(server) == started, f"{role}: a stranger made a call"
        friend_asks(server)
        assert server.page("/livez") == (200, "ok\n"), role
        assert any(line.get("event") == "tls_handshake_failed" for line in server.log), role


@suite.test
def hundreds_of_strangers_cost_no_memory_and_no_log():
    for role, server in cell.items():
        for talk, _ in STRANGERS.values():
            talk(server)
        open_before, held, lines = descriptors(server), resident_bytes(server), len(server.log)
        for _ in range(40):
            for talk, _ in STRANGERS.values():
                talk(server)
        until(lambda s=server, n=open_before: descriptors(s) <= n, f"{role} keeps descriptors")
        grown = resident_bytes(server) - held
        assert grown <= GROWTH_MAX_BYTES, f"{role} grew by {grown >> 20} MiB"
        assert len(server.log) - lines < 32, f"{role} logs each stranger: {server.log[-3:]}"
        friend_asks(server)


def flood(server, n):
    """Idle connections; those that were refused at once are among them."""
    return [connect(server) for _ in range(n)]


@suite.test
def connections_get_no_descriptor_of_the_reserve():
    with serve("few", descriptors=DESCRIPTORS) as server:
        accepted = server.metric("vitrine_connections_accepted_total")
        crowd = flood(server, 2 * DESCRIPTORS)
        until(lambda: server.metric("vitrine_connections_refused_total") > DESCRIPTORS / 2,
              "nobody was refused")
        assert server.metric("vitrine_connections_accepted_total") > accepted
        assert descriptors(server) <= DESCRIPTORS - 40
        assert server.wait_for("connections_refused")["level"] == "warn"
        status, text = server.page("/livez")  # the page is reachable, and tells
        assert status == 503 and "does not answer" in text, (status, text)
        for wire in crowd:
            wire.close()
        until(lambda: server.page("/livez")[0] == 200, "the port did not come back")
        friend_asks(server)


@suite.test
def a_port_without_any_descriptor_comes_back():
    """CVE-2023-4785: libgrpc alone never accepts again after one EMFILE."""
    with serve("none") as server:
        friend_asks(server)
        limit = descriptors(server) + 10
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (limit, limit))
        crowd = flood(server, 40)
        until(lambda: descriptors(server) >= limit - 1, "descriptors are left")
        for wire in crowd:
            wire.close()
        until(lambda: descriptors(server) < limit - 5, "descriptors are kept")
        friend_asks(server)
        assert server.page("/livez") == (200, "ok\n")


@suite.test
def whoever_says_nothing_is_sent_away():
    assert silent.recv(1) == b""
    friend_asks(ranking)


try:
    suite.run()
finally:
    for part in (ranking, candidate, profile):
        part.stop()
    folder.close()
