#!/usr/bin/python3
"""Makes the Secrets of a cell in Kubernetes: certificates, keys and the gateway's configuration.

    deploy/kubernetes/cell_secrets.py --release NAME --out DIR [--namespace NAMESPACE] [--host HOST]...
        [--gateway FILE] [--public-certificate] [--days N]

DIR/secrets.yaml is for `kubectl apply --server-side -f` (it is larger than what apply otherwise
remembers): RELEASE-certs for the services, RELEASE-gateway for the gateway. DIR keeps what is not in
it, and what nobody else may read: the authorities' keys, the callers' certificates
(inside/operator.pem ...), keys.txt with a key for each role. HOST is a name by which storefronts call
the gateway. FILE has limits, cors, jwt and tracing as in deploy/gateway/values.yaml, and `keys` for a
keys file of one's own. With --public-certificate callers see the one that the chart's
gateway.publicCertificate names, and none is made.

Run again, it keeps authorities and keys and makes new certificates: apply the file, and pods take
them within a minute or two, with no call lost. After other changes restart the gateway:
kubectl rollout restart deployment/RELEASE-gateway.
"""

import argparse
import base64
import hashlib
import os
import pathlib
import re
import secrets
import subprocess
import sys

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(DEPLOY / "gateway"))
from render import render, write  # noqa: E402
from values import ROLES  # noqa: E402

MOUNTED = "/etc/vitrine/gateway"  # where the chart mounts RELEASE-gateway
PUBLIC = "/etc/vitrine/public"    # and the certificate of somebody else's making
FREE = ("limits", "cors", "jwt", "tracing", "keys")


def fail(text):
    sys.exit(f"cell_secrets.py: {text}")


# ---- certificates ----

def certs(folder, days, *arguments):
    subprocess.run([str(DEPLOY / "certs.sh"), str(folder), "--days", str(days), *arguments],
                   check=True)


def names(*hosts):
    return [argument for host in hosts for argument in ("--name", host)]


def make_certificates(out, release, namespace, hosts, days):
    """Two authorities: callers of the gateway need not trust the one that opens the services."""
    cell, gateway = f"{release}-cell", f"{release}-gateway"
    certs(out / "inside", days, *names(cell, f"{cell}.{namespace}.svc"))
    certs(out / "outside", days, *names(gateway, f"{gateway}.{namespace}.svc", *hosts), "server")


# ---- the gateway ----

def make_keys(out):
    """A key for each role, kept from run to run; what the gateway gets of them is their hashes."""
    keys = out / "keys.txt"
    if not keys.exists():
        lines = (f"{role} {secrets.token_hex(24)}\n" for role in ROLES)
        write(keys, "".join(lines).encode(), 0o600)
    hashed = out / "keys.sha256"
    write(hashed, "".join(hash_line(*line.split()) for line in
                          keys.read_text(encoding="utf-8").splitlines()).encode(), 0o600)
    return hashed


def hash_line(role, key):
    return f"{hashlib.sha256(key.encode()).hexdigest()} {role} {role}\n"


def own_values(path):
    """What the operator says of the gateway; where things are is the chart's business."""
    if path is None:
        return {}
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        fail(f"{path}: {error}")
    if not isinstance(given, dict):
        fail(f"{path}: wants keys and values")
    for name in given:
        if name not in FREE:
            fail(f"{path}: {name}: only {', '.join(FREE)} may stand here; the chart says the rest")
    return given


def gateway_values(given, release, keys, public):
    server = {"cert": f"{PUBLIC}/tls.crt", "key": f"{PUBLIC}/tls.key"} if public else \
        {"cert": f"{MOUNTED}/server.pem", "key": f"{MOUNTED}/server.key"}
    return {"keys": str(keys), **given,
            "listen": "0.0.0.0:8443", "admin": "127.0.0.1:9901", "metrics": "0.0.0.0:9902",
            "certificates": {"server": server, "services": {
                "cert": f"{MOUNTED}/gateway.pem", "key": f"{MOUNTED}/gateway.key",
                "ca": f"{MOUNTED}/ca.pem"}},
            "upstreams": {"ranking": [f"{release}-ranking:7400"],
                          "profile": [f"{release}-cell:7410"]}}


def make_gateway(out, arguments, given):
    """The folder with everything that the gateway reads, but for certificates."""
    folder = out / "gateway"
    folder.mkdir(exist_ok=True)
    beside = arguments.gateway.parent.resolve() if arguments.gateway else out
    keys = beside / given["keys"] if given.get("keys") else make_keys(out)
    values = gateway_values({**given, "keys": str(keys)}, arguments.release, keys,
                            arguments.public_certificate)
    if (given.get("jwt") or {}).get("jwks"):
        write(folder / "jwks.json", (beside / given["jwt"]["jwks"]).read_bytes())
        values["jwt"] = {**given["jwt"], "jwks": f"{MOUNTED}/jwks.json"}
    path = out / "gateway-values.yaml"
    write(path, yaml.safe_dump(values, sort_keys=False).encode())
    render(path, folder, MOUNTED)
    return folder


# ---- Secrets ----

def secret(name, namespace, files):
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": namespace,
                         "labels": {"app.kubernetes.io/name": "vitrine"}},
            "data": {path.name: base64.b64encode(path.read_bytes()).decode() for path in files}}


def make_secrets(out, arguments, gateway):
    inside, outside = out / "inside", out / "outside"
    services = [inside / name for name in ("ca.pem", "server.pem", "server.key")]
    front = [*sorted(gateway.iterdir()),
             *(inside / name for name in ("ca.pem", "gateway.pem", "gateway.key"))]
    if not arguments.public_certificate:
        front += [outside / name for name in ("server.pem", "server.key")]
    made = (secret(f"{arguments.release}-certs", arguments.namespace, services),
            secret(f"{arguments.release}-gateway", arguments.namespace, front))
    write(out / "secrets.yaml", yaml.safe_dump_all(made, sort_keys=False).encode(), 0o600)


def dns_label(text):
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r}: 1 to 40 small letters, digits and hyphens")
    return text


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--release", required=True, metavar="NAME", type=dns_label)
    parser.add_argument("--out", required=True, metavar="DIR", type=pathlib.Path)
    parser.add_argument("--namespace", default="default", type=dns_label)
    parser.add_argument("--host", action="append", default=[])
    parser.add_argument("--gateway", metavar="FILE", type=pathlib.Path)
    parser.add_argument("--public-certificate", action="store_true")
    parser.add_argument("--days", type=int, default=90)
    return parser.parse_args()


def main():
    arguments = parse()
    given, out = own_values(arguments.gateway), arguments.out.resolve()
    os.umask(0o077)
    out.mkdir(parents=True, exist_ok=True)
    make_certificates(out, arguments.release, arguments.namespace, arguments.host, arguments.days)
    make_secrets(out, arguments, make_gateway(out, arguments, given))
    print(f"cell_secrets.py: kubectl apply --server-side -f {arguments.out}/secrets.yaml; callers' keys are in "
          f"{arguments.out}/keys.txt")


if __name__ == "__main__":
    main()
