#!/usr/bin/env python3
"""Who calls the gateway, and with what: keys, tokens, browsers, grpcurl, readers of the contract.

One cell over an empty folder: what is answered is not the question here.
"""

import base64
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from deployed import KEYS, DeployedCell, Gateway, envoy_program, sha256  # noqa: E402
from tools import grpcurl, venv_openapi  # noqa: E402
from vitrine import ROOT, Folder, Skip, Suite  # noqa: E402

suite = Suite("deploy/gateway_callers")
folder = Folder()
SHOP = "https://shop.example"
ISSUER, AUDIENCE = "https://login.example", "vitrine"
# Each side of the hash's block borders, and both ends of what a key may be.
KEY_LENGTHS = (16, 55, 56, 63, 64, 65, 119, 120, 128, 255, 256)
HEX_KEY = "0123456789abcdef" * 4
state = {}


def cell():
    if "cell" not in state:
        envoy_program()
        (folder / "data").mkdir()
        (folder / "keys.txt").write_text(keys_file())
        state["cell"] = DeployedCell(
            folder / "data", folder / "cell", rankings=1, keys=str(folder / "keys.txt"),
            jwt={"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": str(make_jwks())},
            cors=[SHOP])
    return state["cell"]


def gateway():
    return cell().gateway


def key_of(length):
    return ("k" + str(length) + "-._~+/=" + "abc" * 100)[:length]


def keys_file():
    lines = [f"{sha256(key)} {role} {role}-of-tests" for role, key in KEYS.items()]
    lines += [f"{sha256(key_of(n))} read-only long-{n}" for n in KEY_LENGTHS]
    lines += [f"{sha256(HEX_KEY)} read-only hexadecimal", "# a comment", "",
              "an-open-key-of-the-tests read-only open 50  # hashed when it is read"]
    return "\n".join(lines) + "\n"


# ---- tokens, signed by openssl ----

def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make_jwks():
    subprocess.run(["openssl", "genrsa", "-out", folder / "issuer.key", "2048"], check=True,
                   capture_output=True)
    subprocess.run(["openssl", "genrsa", "-out", folder / "stranger.key", "2048"], check=True,
                   capture_output=True)
    said = subprocess.run(["openssl", "rsa", "-in", folder / "issuer.key", "-noout", "-modulus"],
                          check=True, capture_output=True, text=True).stdout
    modulus = bytes.fromhex(said.strip().split("=")[1])
    jwks = folder / "jwks.json"
    jwks.write_text(json.dumps({"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "one",
                                          "n": url64(modulus), "e": "AQAB"}]}))
    return jwks


def token(signer="issuer", **changes):
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "somebody-secret", "role": "storefront",
              "exp": int(time.time()) + 600, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    head = url64(json.dumps({"alg": "RS256", "typ": "JWT", "kid": "one"}).encode())
    text = f"{head}.{url64(json.dumps(claims).encode())}"
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", folder / f"{signer}.key"],
                               input=text.encode(), check=True, capture_output=True).stdout
    return {"authorization": f"Bearer {text}.{url64(signature)}"}


def erase(headers, role=None):
    """A call that operators may make and storefronts may not; it changes nothing."""
    return gateway().call("/v1/customers:erase", {"customerId": "nobody", "validateOnly": True},
                          role=role, headers=headers)


# ---- keys ----

@suite.test
def keys_of_every_length_are_known_by_their_hash():
    for length in KEY_LENGTHS:
        status, _, answer = gateway().call("/v1/models/active", role=key_of(length))
        assert status == 200, (length, answer)
        almost = key_of(length)[:-1] + "!"
        assert gateway().call("/v1/models/active", role=almost)[0] == 401, length


@suite.test
def a_hash_is_no_key_and_a_key_in_the_open_works():
    assert gateway().call("/v1/models/active", role=sha256(KEYS["storefront"]))[0] == 401
    assert gateway().call("/v1/models/active", role=HEX_KEY)[0] == 200
    assert gateway().call("/v1/models/active", role="an-open-key-of-the-tests")[0] == 200
    for wrong in (" ", "k" * 257, "x" * 4000):
        assert gateway().call("/v1/models/active", role=wrong)[0] == 401, wrong[:20]


@suite.test
def no_key_stands_in_what_was_rendered_or_in_the_admin_page():
    texts = [(cell().folder / "gateway" / "out" / "envoy.yaml").read_text(),
             gateway().admin("/config_dump")]
    for text in texts:
        assert sha256(KEYS["operator"]) in text
        for key in (*KEYS.values(), "an-open-key-of-the-tests", HEX_KEY):
            assert key not in text, key
    mode = (cell().folder / "gateway" / "out" / "envoy.yaml").stat().st_mode
    assert mode & 0o077 == 0, oct(mode)


# ---- tokens ----

@suite.test
def a_tokens_role_counts_and_ends_where_the_contract_says():
    assert erase(token(role="operator"))[0] == 404  # who may, hears that nobody is called so
    status, _, answer = erase(token(role="storefront"))
    assert status == 403 and answer["code"] == "PERMISSION_DENIED", answer
    assert gateway().call("/v1/models/active", role=None,
                          headers=token(role="read-only"))[0] == 200


@suite.test
def a_token_that_is_wrong_is_refused_even_beside_a_good_key():
    for name, changes in {"expired": {"exp": int(time.time()) - 3600}, "endless": {"exp": None},
                          "another issuer": {"iss": "https://other.example"},
                          "another audience": {"aud": "shop"},
                          "another signer": {"signer": "stranger"}}.items():
        for role in (None, "operator"):
            status, _, answer = erase(token(**{"role": "operator", **changes}), role=role)
            refusal = (403, "PERMISSION_DENIED") if name == "another audience" else (
                401, "UNAUTHENTICATED")
            assert (status, answer["code"]) == refusal, (name, role, answer)
    status, _, answer = erase({"authorization": "Bearer not.a.token"})
    assert status == 401, answer


@suite.test
def a_token_without_a_role_of_ours_may_nothing():
    for role in (None, "service", "gateway", "root", "", ["operator"]):
        status, _, answer = erase(token(role=role))
        assert status == 403 and answer["code"] == "PERMISSION_DENIED", (role, answer)


@suite.test
def each_subject_of_tokens_has_a_rate_of_its_own():
    own = Gateway(folder / "limited", cell().certs, [s.target for s in cell().rankings],
                  [cell().profile.target], jwt=gateway().values["jwt"],
                  limits={"calls_per_second": 5})
    try:
        many, other = (token(sub=name, role="read-only") for name in ("a", "b"))
        answers = [own.call("/v1/models/active", role=None, headers=many) for _ in range(40)]
        refused = [answer for answer in answers if answer[0] == 429]
        assert refused and len(refused) < 40, [answer[0] for answer in answers]
        assert refused[0][2]["code"] == "RESOURCE_EXHAUSTED", refused[0]
        assert refused[0][1]["retry-after"] == "1", refused[0][1].items()
        assert own.call("/v1/models/active", role=None, headers=other)[0] == 200
    finally:
        own.stop()


# ---- browsers ----

def preflight(origin):
    return gateway().call("/v1/recommend", role=None, method="OPTIONS", headers={
        "origin": origin, "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key,content-type"})


@suite.test
def a_browser_of_the_shop_may_call_and_one_of_elsewhere_may_not():
    status, headers, _ = preflight(SHOP)
    assert status == 200 and headers["access-control-allow-origin"] == SHOP, headers.items()
    assert "POST" in headers["access-control-allow-methods"]
    for header in ("x-api-key", "content-type", "authorization", "vitrine-key"):
        assert header in headers["access-control-allow-headers"]
    _, headers, _ = preflight("https://evil.example")
    assert "access-control-allow-origin" not in headers, headers.items()


@suite.test
def answers_and_errors_tell_the_browser_who_may_read_them():
    for role, expected in (("storefront", 200), (None, 401)):
        status, headers, _ = gateway().call("/v1/recommend", {"visitorId": "v", "n": 1}, role=role,
                                            headers={"origin": SHOP})
        assert status == expected, status
        assert headers["access-control-allow-origin"] == SHOP, headers.items()
        assert "retry-after" in headers["access-control-expose-headers"]


# ---- the contract, served ----

@suite.test
def the_page_to_try_calls_asks_nobody_else_for_anything():
    status, headers, page = gateway().call("/", role=None)
    assert status == 200 and headers["content-type"].startswith("text/html"), headers.items()
    assert "default-src 'none'" in headers["content-security-policy"]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page), "something comes from elsewhere"
    assert 'fetch("/openapi.json")' in page and "innerHTML" not in page


@suite.test
def every_example_of_the_document_is_answered():
    paths = gateway().call("/openapi.json", role=None)[2]["paths"]
    assert len(paths) > 20, list(paths)
    for path, verbs in paths.items():
        for verb, operation in verbs.items():
            if operation["operationId"] in ("CatalogService_Watch", "RecommendationService_Explain",
                                            "ModelService_Activate"):
                continue  # one never ends, two want a name that only a cell in use has
            body = operation.get("requestBody")
            example = body["content"]["application/json"]["example"] if body else None
            assert example is None or example, f"{path} has no example"
            answer = gateway().call(path.replace("{customer_id}", "C000001"), example,
                                    role="operator", method=verb.upper())
            assert answer[0] in (200, 404) or answer[2]["code"] == "FAILED_PRECONDITION", (
                path, answer)


@suite.test
def the_document_is_openapi_as_its_validator_has_it():
    document = folder / "openapi.json"
    document.write_text(json.dumps(gateway().call("/openapi.json", role=None)[2]))
    done = subprocess.run([venv_openapi(), "-m", "openapi_spec_validator", document],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- gRPC ----

def ask_grpc(*args, key="storefront", status=0):
    metadata = ["-H", f"x-api-key: {KEYS[key]}"] if key else []
    done = subprocess.run([grpcurl(), "-cacert", cell().certs / "ca.pem", *metadata,
                           "-max-time", "10", *map(str, args)],
                          capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (status == 0), done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


@suite.test
def grpcurl_needs_no_files_to_call():
    target, v1 = gateway().target, "vitrine.v1."
    assert v1 + "RecommendationService" in ask_grpc(target, "list")
    assert "customer_id" in ask_grpc(target, "describe", v1 + "RecommendRequest")
    ask_grpc("-d", '{"visitorId":"v","n":2}', target, v1 + "RecommendationService/Recommend")
    event = {"eventId": "grpc-1", "type": "EVENT_TYPE_VIEW", "visitorId": "v", "itemId": "i",
             "time": "2026-01-05T10:00:00Z"}
    assert '"accepted": 1' in ask_grpc("-d", json.dumps({"events": [event]}), target,
                                       v1 + "EventService/WriteEvents")
    messages = "".join(json.dumps({"sequence": n, "events": [{**event, "eventId": f"s{n}"}]})
                       for n in range(1, 4))
    assert '"acknowledgedSequence": "3"' in ask_grpc(
        "-d", messages, target, v1 + "EventService/StreamEvents")


@suite.test
def grpc_callers_hear_the_right_status_and_a_sentence():
    target, v1 = gateway().target, "vitrine.v1."
    call = ["-import-path", ROOT / "proto", "-proto", "vitrine/v1/recommendation.proto",
            "-proto", "vitrine/v1/profile.proto", "-proto", "vitrine/v1/candidate.proto"]
    for code, words, rest in (
            ("Unauthenticated", "a key is missing", {"key": None}),
            ("InvalidArgument", "n: 0, must be", {})):
        said = ask_grpc(*call, "-d", "{}", target, v1 + "RecommendationService/Recommend",
                        status=1, **rest)
        assert code in said, said
        assert re.search(rf"Message: {words}[^{{]*$", said, re.M), said
    said = ask_grpc(*call, "-d", '{"customerId":"c"}', target, v1 + "ProfileService/EraseCustomer",
                    status=1)
    assert "PermissionDenied" in said, said
    said = ask_grpc(*call, "-d", "{}", target, v1 + "CandidateService/GetCandidates", status=1,
                    key="operator")
    assert "Unimplemented" in said and "no such path" in said, said


# ---- what is written down ----

@suite.test
def every_call_is_a_line_and_none_tells_who_the_customer_is():
    given = "4bf92f3577b34da6a3ce929d0e0e4736"
    gateway().call("/v1/customers/secret-id", role="operator",
                   headers={"traceparent": f"00-{given}-00f067aa0ba902b7-01"})
    gateway().call("/v1/models/active", role=None, headers=token(sub="secret-subject"))
    gateway().call("/v1/recommend", {"customerId": "secret-id", "n": 1},
                   headers={"vitrine-key": "secret-id"})
    gateway().stop()  # the log is whole now
    text = gateway().log_path.read_text()
    assert "secret" not in text
    for key in KEYS.values():
        assert key not in text and hashlib.sha256(key.encode()).hexdigest() not in text
    lines = gateway().access_log()
    profile = next(line for line in lines if line["trace_id"] == given)
    assert profile["method"] == "vitrine.v1.ProfileService/GetProfile", profile
    assert profile["client"] == "operator-of-tests" and profile["status"] == 200, profile
    assert [line["client"] for line in lines[-3:]] == ["operator-of-tests", "token",
                                                       "storefront-of-tests"], lines[-3:]
    answered = [line["trace_id"] for line in lines if line["upstream"]]
    assert all(re.fullmatch("[0-9a-f]{32}", trace) for trace in answered), answered
    assert len(set(answered)) == len(answered), "two calls share a trace id"


def main():
    if shutil.which("openssl") is None:
        raise Skip("no openssl")
    try:
        suite.run()
    finally:
        if "cell" in state:
            state["cell"].__exit__()
        folder.close()


if __name__ == "__main__":
    main()
