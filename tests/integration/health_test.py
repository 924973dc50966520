#!/usr/bin/env python3
"""vitrine health: what probes of containers and units ask."""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from deployed import make_certificates, tls  # noqa: E402
from vitrine import Folder, Server, Suite, run  # noqa: E402

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
def nobody_there_is_a_failure_and_no_wait():
    with Server(folder / "gone") as server:
        target = server.target
    assert "UNAVAILABLE" in run("health", "--target", target, status=1).stderr


suite.run()
