#!/usr/bin/python3
"""Makes Envoy's configuration from a small values file and the contract.

    deploy/gateway/render.py --values FILE --out DIR [--as FOLDER]

DIR gets envoy.yaml, vitrine.pb (the contract's descriptor set, for JSON), openapi.json, index.html
and a few *.sds.yaml that name certificates. envoy.yaml holds names and hashes of keys: its owner
alone reads it. FOLDER is where the gateway finds DIR, when that is elsewhere. Run it again and restart
the gateway after a change; replaced certificates need neither.
"""

import argparse
import os
import pathlib

import envoy
import openapi
import values as values_file
from contract import Contract, UPSTREAMS

HERE = pathlib.Path(__file__).resolve().parent


def write(path, data, mode=0o644):
    """Whole or not at all: a gateway that starts meanwhile reads the old or the new one."""
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    beside.replace(path)


def render(values_path, out, seen_as=None):
    values = values_file.read(values_path)
    base = pathlib.Path(values_path).resolve().parent
    keys = values_file.read_keys(base / values["keys"], values["limits"]["calls_per_second"]) \
        if values["keys"] else []
    contract = Contract()
    folder = str(seen_as or out)
    values["folder"] = folder
    values["services"] = list(UPSTREAMS)
    if values["jwt"]["jwks"]:
        values["jwt"]["jwks"] = str(base / values["jwt"]["jwks"])
    certificates = values["certificates"]
    secrets = {"server": envoy.certificate(certificates["server"], base),
               "services": envoy.certificate(certificates["services"], base),
               "ca": envoy.authority(certificates["services"], base)}
    out.mkdir(parents=True, exist_ok=True)
    for name, fields in secrets.items():
        write(out / f"{name}.sds.yaml", envoy.text(envoy.sds(name, fields)).encode())
    write(out / "vitrine.pb", contract.bytes)
    write(out / "openapi.json", openapi.document(contract).encode())
    write(out / "index.html", (HERE / "index.html").read_bytes())
    write(out / "envoy.yaml",
          envoy.text(envoy.bootstrap(values, keys, contract, folder)).encode(), 0o600)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--values", required=True, metavar="FILE")
    parser.add_argument("--out", required=True, metavar="DIR", type=pathlib.Path)
    parser.add_argument("--as", metavar="FOLDER", dest="seen_as")
    arguments = parser.parse_args()
    render(arguments.values, arguments.out.resolve(), arguments.seen_as)
    print(f"render.py: {arguments.out}/envoy.yaml is made from {arguments.values}")


if __name__ == "__main__":
    main()
