#!/usr/bin/env python3
"""vitrine health: what probes of containers and units ask."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from deployed import make_certificates, tls  # noqa: E402
from vitrine import VITRINE, WAIT_S, Folder, Server, Suite, run  # noqa: E402

suite = Suite("health")
folder = Folder()


@suite.test
def a_server_that_serves_is_healthy():
    with Server(folder / "data") as server:
        assert run("health", "--target", server.target).stdout == "SERVING\n"
        answer = run("health", "--target", server.target, "--json",
                     "--service", "vitrine.v1.RecommendationService").stdout
        assert json.loads(answer) == {"status": "SERVING"}, answer
        said = run("health", "--target", server.target, "--service", "none.such", status=1).stderr
        assert "NOT_FOUND" in said, said


@suite.test
def a_server_with_tls_is_asked_with_its_own_certificate():
    certs = folder / "certs"
    make_certificates(certs, "server")
    with Server(folder / "secure", *tls(certs)) as server:
        run("health", "--target", server.target, *tls(certs))
        run("health", "--target", server.target, status=1)


@suite.test
def a_probe_finds_its_options_in_the_server_s_environment():
    certs = folder / "certs"
    environment = dict(zip(("VITRINE_TLS_CERT", "VITRINE_TLS_KEY", "VITRINE_TLS_CA"),
                           map(str, tls(certs)[1::2])))
    with Server(folder / "surrounded", environment=environment) as server:
        probe = {**os.environ, **environment, "VITRINE_TARGET": server.target}
        done = subprocess.run([VITRINE, "health"], env=probe, capture_output=True, text=True,
                              timeout=WAIT_S)
        assert done.returncode == 0, done.stderr


@suite.test
def nobody_there_is_a_failure_and_no_wait():
    with Server(folder / "gone") as server:
        target = server.target
    assert "UNAVAILABLE" in run("health", "--target", target, status=1).stderr


suite.run()
