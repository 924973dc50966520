#!/usr/bin/env python3
"""Reads every #include and fails on an arrow that docs and architecture do not allow.

A file belongs to a part (below), a part may include the headers of certain parts, and an outside
library belongs to the parts that wrap it. Prints TAP: one test for the arrows between our parts, one
for the outside libraries, one that every file belongs to a part.

    layering.py [--root DIR]
"""
import argparse
import pathlib
import re
import sys

# Part: (pattern of its files, parts whose headers it may include besides its own). The first
# pattern that matches counts. A service has three parts: its domain, its wire code, its shell.
MODEL_ARROWS = {
    "kernels": [],
    "dataset": [],
    "index": ["kernels"],
    "group": [],
    "factor": ["dataset", "group", "kernels"],
    "neighbor": ["dataset", "index", "kernels"],
    "linear": ["dataset", "index", "kernels", "neighbor"],
    "popularity": ["dataset"],
    "rules": ["dataset", "index", "kernels"],
    "content": ["dataset", "kernels"],
    "graph": ["dataset", "index", "kernels", "neighbor"],
    "rank": ["dataset", "index"],
    "bundle": ["index", "rank"],
    "eval": ["dataset", "index", "kernels", "popularity"],
    "tune": ["dataset"],
    "blend": ["dataset", "eval", "index", "kernels", "neighbor"],
    "deep": ["dataset", "eval", "kernels"],
    "report": ["bundle", "eval"],
    # These two put the families together: a line each.
    "algorithm": [
        "blend",
        "content",
        "dataset",
        "deep",
        "eval",
        "factor",
        "graph",
        "kernels",
        "linear",
        "neighbor",
        "popularity",
        "rank",
    ],
    "train": [
        "algorithm",
        "bundle",
        "content",
        "dataset",
        "eval",
        "factor",
        "index",
        "kernels",
        "neighbor",
        "popularity",
        "report",
        "rules",
    ],
}
MODELS = list(MODEL_ARROWS)
SERVICES = ["profile", "candidate", "ranking", "model"]
COMMON = ["base", "catalog", "trace"]
SHELL = r"(handlers(_\w+)?|event_sender|event_stream|export_stream|customer_stream|watch|follow|forgotten|remote)"

PARTS = {
    "base": (r"services/common/base/", []),
    "pb": (r"services/common/pb/", ["base", "proto"]),
    "trace": (r"services/common/trace/", ["base"]),
    "rpc": (r"services/common/rpc/", ["base", "proto", "trace"]),
    "otlp": (r"services/common/otlp/", ["base", "pb", "proto", "rpc", "trace"]),
    "store": (r"services/common/store/", ["base"]),
    "catalog": (r"services/common/catalog/", ["base"]),
    "wire": (r"services/common/wire/", ["base", "pb", "proto"]),
    "handler": (r"services/common/handler/", ["base", "rpc", "pb"]),
    **{name: (rf"models/{name}/", ["base"] + arrows) for name, arrows in MODEL_ARROWS.items()},
    # Services meet in one process through their domain headers; what is one request's way goes
    # ranking -> candidate -> profile, never back.
    "profile.wire": (r"services/profile/wire\w*\.[ch]$",
                     COMMON + ["pb", "wire", "proto", "profile"]),
    "profile.shell": (rf"services/profile/{SHELL}\.[ch]$",
                      COMMON + ["rpc", "handler", "pb", "wire", "profile", "profile.wire"]),
    "profile": (r"services/profile/", COMMON + ["store"] + MODELS),
    "candidate.wire": (r"services/candidate/wire\w*\.[ch]$",
                       COMMON + ["pb", "wire", "proto", "candidate"]),
    "candidate.shell": (rf"services/candidate/{SHELL}\.[ch]$",
                        COMMON + ["rpc", "handler", "pb", "wire", "candidate", "candidate.wire"]),
    "candidate": (r"services/candidate/", COMMON + MODELS),
    "ranking.wire": (r"services/ranking/wire\w*\.[ch]$",
                     COMMON + ["pb", "wire", "proto", "ranking"]),
    "ranking.shell": (rf"services/ranking/{SHELL}\.[ch]$",
                      COMMON + ["rpc", "handler", "pb", "wire", "ranking", "ranking.wire"]),
    "ranking": (r"services/ranking/", COMMON + ["profile", "candidate"] + MODELS),
    "model.wire": (r"services/model/wire\w*\.[ch]$", COMMON + ["pb", "wire", "proto", "bundle"]),
    "model.shell": (rf"services/model/{SHELL}\.[ch]$",
                    COMMON + ["rpc", "handler", "pb", "wire", "model.wire", "bundle"]),
    "ingest": (r"services/ingest/", COMMON),
    "demo": (r"services/demo/", COMMON),
    "keep": (r"services/keep/", ["base"]),
    "gateway": (r"services/gateway/", ["base"]),
    "client": (r"services/client/", COMMON + ["rpc", "pb", "wire", "proto"]),
    # The program may put everything together, but decodes no message and calls no library.
    "node": (r"services/node/", None),
    "loadtest": (r"loadtest/", COMMON + ["rpc", "pb", "wire", "client", "proto"]),
    "proto": (r"proto/", []),
    "tests": (r"tests/", None),
}

# Outside library: the files that may include it; the reason is in the architecture page.
OUTSIDE = [
    (r"grpc/(?!health/)", r"services/common/rpc/|loadtest/floor|tests/negative/"),
    (r"rocksdb/c\.h", r"services/common/store/|tests/perf/"),
    (r"(cblas|lapacke)\.h", r"models/kernels/blas/|tests/"),
    (r"protobuf-c/|.*\.pb-c\.h$",
     r"services/common/(otlp|pb|wire)/|services/\w+/wire\w*\.[ch]$|services/client/|loadtest/|tests/"),
    (r"jansson\.h", r"services/(ingest|demo|client|keep|node)/|services/profile/(audit|export_lines)\.c|models/bundle/|models/rank/flatten\.c|loadtest/|tests/"),
    (r"mpi\.h", r"models/group/module/"),
    (r"xgboost/", r"models/rank/xgboost\.c"),
    (r"sodium\.h", r"services/ranking/|services/node/|services/profile/audit\.c|tests/"),
    (r"openssl/", r"services/common/base/|services/common/rpc/|models/bundle/|tests/"),
    (r"unicode/", r"services/common/base/|services/ingest/|models/content/|tests/"),
    (r"libstemmer\.h", r"models/content/"),
    (r"archive(_entry)?\.h", r"services/ingest/|models/bundle/npz\.c$|tests/"),
    (r"csv\.h", r"services/ingest/|tests/"),
    (r"microhttpd\.h", r"services/common/rpc/|tests/"),
    (r"zstd\.h", r"services/profile/|tests/"),
    (r"yaml\.h", r"services/common/base/"),
    (r"(immintrin|arm_neon)\.h", r"models/|tests/"),
]

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)
FOLDERS = ("services", "models", "proto", "loadtest", "tests")


def part_of(path):
    return next((name for name, (pattern, _) in PARTS.items() if re.match(pattern, path)), None)


def includes(root):
    """(path, line, "quote or angle", included) of every include of ours."""
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.[ch]")):
            text = file.read_text(encoding="utf-8", errors="replace")
            for match in INCLUDE.finditer(text):
                line = text.count("\n", 0, match.start(2)) + 1
                yield str(file.relative_to(root)), line, match.group(1), match.group(2)


def wrong_arrow(path, included):
    """Why `path` may not include our header `included`, or None."""
    source, target = part_of(path), part_of(included)
    if target is None or source is None or source == target:
        return None
    allowed = PARTS[source][1]
    if allowed is None:
        return "nothing but tests may use tests" if target == "tests" != source else None
    return None if target in allowed else f"{source} may not use {target}"


def wrong_library(path, included):
    for library, allowed in OUTSIDE:
        if re.match(library, included) and not re.match(allowed, path):
            return f"<{included}> belongs to {allowed}"
    return None


def judge(root):
    """The breaches: of arrows, of outside libraries, and files that belong nowhere."""
    arrows, libraries, homeless = [], [], set()
    for path, line, _, included in includes(root):
        if part_of(path) is None:
            homeless.add(f"{path}: belongs to no part; add it to PARTS in tests/layering.py")
        if why := wrong_arrow(path, included):
            arrows.append(f"{path}:{line}: {why} ({included})")
        if why := wrong_library(path, included):
            libraries.append(f"{path}:{line}: {why}")
    return arrows, libraries, sorted(homeless)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    names = ("layering: arrows between parts point one way",
             "layering: outside libraries stay behind the part that wraps them",
             "layering: every file belongs to a part")
    failed = False
    for number, (name, breaches) in enumerate(zip(names, judge(root)), 1):
        for breach in breaches:
            print(f"# {breach}")
        print(f"{'not ok' if breaches else 'ok'} {number} - {name}")
        failed |= bool(breaches)
    print(f"1..{len(names)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
