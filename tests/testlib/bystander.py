#!/usr/bin/env python3
"""A storefront that asks the gateway at a steady rate over one connection, by JSON, while others do
something to it: a process of its own, so that nobody's Python holds it up but its own.

    bystander.py PORT CA.pem KEY RATE

Says {"began": …} when its first call is answered, then asks until its standard input ends, and says how
it went: calls, those that went wrong, seconds, the slowest one. What comes late is made up for, so
its rate falls only where the answers cannot keep pace.
"""

import http.client
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time

TIMEOUT_S = 60
WRONG_SHOWN = 3


class Bystander:
    """The process, for tests: asks within a with-block; afterwards `asked`, `wrong`, `rate`."""

    def __init__(self, port, ca, key, rate):
        self._process = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__)), str(port), str(ca), key, str(rate)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.asked, self.wrong, self.rate, self.slowest_ms = 0, [], 0.0, 0.0

    def __enter__(self):
        assert json.loads(self._process.stdout.readline())["began"]
        return self

    def __exit__(self, *_):
        said, _ = self._process.communicate(timeout=2 * TIMEOUT_S)
        report = json.loads(said)
        self.asked, self.wrong = report["asked"], report["wrong"]
        self.rate, self.slowest_ms = report["asked"] / report["seconds"], report["slowest_ms"]


def ask(wire, key, number):
    """What is wrong with the answer, or None."""
    body = json.dumps({"customerId": f"C{number % 300:06d}", "n": 5})
    try:
        wire.request("POST", "/v1/recommend", body,
                     {"x-api-key": key, "content-type": "application/json"})
        answer = wire.getresponse()
        text = answer.read().decode()
        return None if answer.status == 200 and json.loads(text)["items"] else (
            f"{answer.status} {text[:200]}")
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        wire.close()
        return repr(error)


def until_input_ends():
    ended = threading.Event()

    def read():
        sys.stdin.read()
        ended.set()
    threading.Thread(target=read, daemon=True).start()
    return ended


def main():
    port, ca, key, rate = int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4])
    trust = ssl.create_default_context(cafile=ca)
    wire = http.client.HTTPSConnection("localhost", port, context=trust, timeout=TIMEOUT_S)
    first = ask(wire, key, 0)
    print(json.dumps({"began": True}), flush=True)
    ended, begin = until_input_ends(), time.monotonic()
    asked, wrong, slowest = 0, [first] if first else [], 0.0
    while not ended.wait(max(0, begin + asked / rate - time.monotonic())):
        sent = time.monotonic()
        said = ask(wire, key, asked)
        slowest = max(slowest, time.monotonic() - sent)
        asked += 1
        if said:
            wrong.append(said)
    seconds = max(time.monotonic() - begin, 1 / rate)
    print(json.dumps({"asked": asked, "wrong": wrong[:WRONG_SHOWN], "seconds": seconds,
                      "slowest_ms": slowest * 1e3}))


if __name__ == "__main__":
    main()
