#!/usr/bin/env python3
"""Price updates while recommendations are served, beside the same serving without them.

    vitrine-bench fill --data DIR --customers 100000 --items 100000
    tests/perf/prices_while_serving.py --data DIR --customers 100000 --items 100000 [--updates 1000000]

Serves the folder (a copy: it is written to), asks for recommendations at a fixed rate, in turn alone
and while `vitrine-load prices` sends masked updates, 1,000 a call; prints the latencies and their
ratio, and how far the item table was behind when the last update was acknowledged. Nothing is
asserted: a figure is a ratio within this run.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import Server, bin_dir  # noqa: E402

LOAD = str(bin_dir() / "vitrine-load")


def start_recommend(target, options):
    return subprocess.Popen([LOAD, "recommend", "--target", target, "--rate", str(options.rate),
                             "--duration", f"{options.seconds}s", "--customers",
                             str(options.customers), "--json"],
                            stdout=subprocess.PIPE, text=True)


def finish(process):
    result = json.loads(process.communicate()[0])
    assert not result["errors"], result
    return result


def start_prices(target, options):
    return subprocess.Popen([LOAD, "prices", "--target", target, "--items", str(options.items),
                             "--updates", str(options.updates), "--json"],
                            stdout=subprocess.PIPE, text=True)


def lag(server):
    text = urllib.request.urlopen(f"http://127.0.0.1:{server.http_port}/metrics").read().decode()
    return re.search(r'lag_changes\{watcher="0"\} (\S+)', text).group(1)


def tell(name, result):
    print(f"{name}: p50 {result['p50_us']:.0f} µs, p99 {result['p99_us']:.0f} µs, p99.9 "
          f"{result['p999_us']:.0f} µs, max {result['max_us']:.0f} µs, {result['ok']} answers, "
          f"{result['degraded']} degraded", flush=True)


def compare(server, options):
    finish(start_recommend(server.target, options))  # warms up
    alone = finish(start_recommend(server.target, options))
    asking = start_recommend(server.target, options)
    prices = json.loads(start_prices(server.target, options).communicate()[0])
    behind = lag(server)
    beside = finish(asking)
    tell("alone", alone)
    tell("with updates", beside)
    print(f"{prices['updates']} updates in {prices['seconds']:.1f} s, {prices['updates_per_s']}/s; "
          f"the item table was {behind} changes behind at the end")
    print(f"ratio: p50 {beside['p50_us'] / alone['p50_us']:.2f}, "
          f"p99 {beside['p99_us'] / alone['p99_us']:.2f}, max "
          f"{beside['max_us'] / alone['max_us']:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--customers", type=int, required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--updates", type=int, default=1000000)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    with Server(options.data, http=True) as server:
        compare(server, options)


if __name__ == "__main__":
    main()
