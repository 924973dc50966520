"""The values file: read, completed with what may be left out, and judged."""

import hashlib
import ipaddress
import re
import sys

import yaml

REQUIRED = object()
SHAPE = {
    "listen": "127.0.0.1:8443",
    "admin": "127.0.0.1:9901",
    "metrics": "127.0.0.1:9902",
    "certificates": {
        "server": {"cert": REQUIRED, "key": REQUIRED},
        "services": {"cert": REQUIRED, "key": REQUIRED, "ca": REQUIRED, "name": "localhost"},
    },
    "upstreams": {"ranking": REQUIRED, "profile": REQUIRED},
    "keys": "",
    "jwt": {"issuer": "", "audiences": [], "jwks": ""},
    "limits": {"calls_per_second": 500, "connections": 10000, "streams": 100, "header_kib": 8,
               "body_kib": 4096, "deadline_ms": 1000, "requests": 1024, "heap_mib": 512},
    "cors": [],
    "tracing": {"collector": "", "sample": 0.01},
}
ROLES = ("storefront", "trainer", "operator", "marketer", "read-only")


def fail(text):
    sys.exit(f"render.py: {text}")


def read(path):
    """The values of a file, complete; says what is wrong and where, and ends."""
    try:
        with open(path, encoding="utf-8") as file:
            given = yaml.safe_load(file) or {}
    except (OSError, yaml.YAMLError) as error:
        fail(f"{path}: {error}")
    values = complete(given, SHAPE, "")
    for name in ("listen", "admin", "metrics"):
        address(values[name], name)
    host = address(values["admin"], "admin")[0]
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        fail(f"admin: {host} is not loopback; whoever reaches that page can stop the gateway")
    for service, targets in values["upstreams"].items():
        if not isinstance(targets, list) or not targets:
            fail(f"upstreams.{service}: wants a list of addresses, [127.0.0.1:7400]")
        for target in targets:
            address(target, f"upstreams.{service}")
    jwt = values["jwt"]
    if any(jwt.values()) and not all(jwt.values()):
        fail("jwt: wants all of issuer, audiences and jwks, or none")
    if not values["keys"] and not jwt["issuer"]:
        fail("keys: no keys and no jwt: nobody could call")
    return values


def complete(given, shape, where):
    """`given` with what it leaves out; where it is not of the shape, the place is named."""
    if not isinstance(given, dict):
        fail(f"{where or 'the file'}: wants keys and values")
    for name in given:
        if name not in shape:
            fail(f"{where}{name}: unknown; known are {', '.join(shape)}")
    values = {}
    for name, default in shape.items():
        place = where + name
        if isinstance(default, dict):
            values[name] = complete(given.get(name, {}) or {}, default, place + ".")
        elif name in given:
            values[name] = judged(given[name], default, place)
        elif default is REQUIRED:
            fail(f"{place}: is missing")
        else:
            values[name] = default
    return values


def judged(value, default, place):
    if isinstance(default, (int, float)):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or value < 0 or (isinstance(default, int) and value != int(value)):
            fail(f"{place}: {value!r} is no number from 0 on")
        if place != "tracing.sample" and value == 0:
            fail(f"{place}: 0 would let nothing through")
    elif default is not REQUIRED and not isinstance(value, type(default)):
        fail(f"{place}: {value!r} is no {'list' if isinstance(default, list) else 'text'}")
    return value


def address(text, place):
    """("127.0.0.1", 7400)"""
    match = re.fullmatch(r"\[?([0-9A-Za-z.:_-]+?)\]?:([0-9]{1,5})", str(text))
    if not match or int(match[2]) > 65535:
        fail(f"{place}: {text!r} is no HOST:PORT")
    return match[1], int(match[2])


def read_keys(path, calls_per_second):
    """[(SHA-256 of a key, role, name, calls a second)] of the keys file."""
    keys = []
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        fail(f"keys: {error}")
    for number, line in enumerate(lines, 1):
        words = line.split("#")[0].split()
        if words:
            keys.append(judged_key(words, f"{path}:{number}", calls_per_second))
    for place in (0, 2):
        if len({key[place] for key in keys}) != len(keys):
            fail(f"{path}: {'a key' if place == 0 else 'a name'} stands twice")
    return keys


def judged_key(words, place, calls_per_second):
    if not 3 <= len(words) <= 4:
        fail(f"{place}: wants SHA256-OF-KEY ROLE NAME [CALLS-PER-SECOND]")
    digest, role, name = digest_of(words[0], place), words[1], words[2]
    if role not in ROLES:
        fail(f"{place}: {role!r} is no role; known are {', '.join(ROLES)}")
    if not re.fullmatch(r"[a-z0-9-]{1,64}", name):
        fail(f"{place}: {name!r}: a name has 1 to 64 small letters, digits and hyphens")
    rate = words[3] if len(words) == 4 else str(calls_per_second)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", rate):
        fail(f"{place}: {rate!r} is no number of calls a second")
    return digest, role, name, int(rate)


def digest_of(word, place):
    """A SHA-256 stands for itself; a key that stands there openly goes no further than here."""
    if re.fullmatch(r"[0-9a-f]{64}", word):
        return word
    if not re.fullmatch(r"[A-Za-z0-9_.~+/=-]{16,256}", word):
        fail(f"{place}: wants the SHA-256 of a key (printf %s KEY | sha256sum), or a key of 16 to 256 "
             "letters, digits and _.~+/=-")
    return hashlib.sha256(word.encode()).hexdigest()
