#!/usr/bin/env python3
"""The load tester itself: does it see a pause, does it agree with other tools, are its commands whole.

The machine that runs this may be busy, so what is checked about time is only what a busy machine
cannot fake: a pause cannot become shorter, and a closed loop's tools meet on one target in turn.
"""
# Runs alone: it compares latencies and rates of tools that take turns.

import json
import os
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from tools import go_program  # noqa: E402
from vitrine import ROOT, Folder, Server, Skip, Suite, bin_dir, run  # noqa: E402

suite = Suite("load")
LOAD = str(bin_dir() / "vitrine-load")
LONG = "VITRINE_TEST_ALL" in os.environ
PATH = "/vitrine.v1.RecommendationService/Recommend"
REPLY_BYTES = 600


class Floor:
    """`vitrine-load floor` on a port the system chose."""

    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        self.process = subprocess.Popen(
            [LOAD, "floor", "--listen", "127.0.0.1:0", "--reply-bytes", str(REPLY_BYTES),
             *map(str, self.args)],
            stderr=subprocess.PIPE, text=True)
        self.port = int(re.search(r"port (\d+)", self.process.stderr.readline()).group(1))
        self.target = f"127.0.0.1:{self.port}"
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(30)


def load(*args, status=0, timeout=120):
    done = subprocess.run([LOAD, *map(str, args)], capture_output=True, text=True, timeout=timeout)
    assert done.returncode == status, f"exit {done.returncode}: {done.stdout}{done.stderr}"
    return done


def load_json(*args, **more):
    return json.loads(load(*args, "--json", **more).stdout)


# ---- coordinated omission ----

@suite.test
def a_pause_of_a_second_is_seen_by_every_call_that_was_due_in_it():
    rate, pause_s = 400, 1.0
    with Floor() as floor:
        tester = subprocess.Popen(
            [LOAD, "recommend", "--target", floor.target, "--rate", str(rate), "--arrivals",
             "fixed", "--duration", "4s", "--warmup", "500ms", "--timeout", "10s", "--json"],
            stdout=subprocess.PIPE, text=True)
        # The pause is timed by the tester's own end, not by a sleep: wait for nothing for 1.5 s.
        wait(tester, 1.5)
        floor.process.send_signal(signal.SIGSTOP)
        wait(tester, pause_s)
        floor.process.send_signal(signal.SIGCONT)
        result = json.loads(tester.communicate(timeout=60)[0])
    assert result["errors"] == {} and result["sent"] == rate * 4, result
    assert result["ok"] == result["sent"], result
    # Those due in the pause waited for its end: r · 1 s of them, evenly from 1 s down to nothing.
    assert result["max_us"] >= 0.95e6, result["max_us"]
    waited = sum(slot["sent"] for slot in result["timeline"] if slot["p50_us"] > 50e3)
    assert waited >= rate * pause_s * 0.8, (waited, result["timeline"])
    assert result["p90_us"] >= 0.5e6, "a tenth of 4 s is due in the first 0.4 s of the pause"
    assert result["generator"]["unsent"] == 0


def wait(process, seconds):
    try:
        process.wait(seconds)
        raise AssertionError("the load ended too early")
    except subprocess.TimeoutExpired:
        pass


@suite.test
def a_closed_loop_says_that_it_is_one_and_hides_the_pause():
    with Floor() as floor:
        result = load_json("recommend", "--target", floor.target, "--rate", "max", "--duration",
                           "500ms", "--warmup", "100ms")
    assert result["rate"] == "max" and result["arrivals"] == "closed" and result["ok"] > 0
    assert result["generator"]["limited"] is False, "a closed loop has no schedule to miss"


# ---- other tools on the same target ----

def frame_file(folder):
    """A RecommendRequest as gRPC frames it."""
    body = b"\x0a\x04load" + b"\x12\x07C000001" + b"\x28\x0a"
    path = folder / "request.bin"
    path.write_bytes(b"\0" + struct.pack(">I", len(body)) + body)
    return path


def h2load_rate(floor, folder, seconds):
    if shutil.which("h2load") is None:
        raise Skip("no h2load (Debian nghttp2-client)")
    done = subprocess.run(
        ["h2load", "-D", str(seconds), "--warm-up-time", "1", "-c", "4", "-m", "8", "-t", "2", "-d",
         str(frame_file(folder)), "-H", "content-type: application/grpc", "-H", "te: trailers",
         f"http://{floor.target}{PATH}"], capture_output=True, text=True, timeout=seconds + 60)
    # "finished in 2.00s, 51234.50 req/s, 31MB/s"
    return float(re.search(r"([\d.]+) req/s", done.stdout).group(1))


def ghz():
    return go_program("github.com/bojand/ghz/cmd/ghz", "v0.120.0")


def ghz_run(floor, *args):
    done = subprocess.run(
        [ghz(), "--insecure", "--import-paths", str(ROOT / "proto"), "--proto",
         "vitrine/v1/recommendation.proto", "--call", "vitrine.v1.RecommendationService/Recommend",
         "-d", '{"customer_id":"C000001","placement":"load","n":10}', "--connections", "4",
         "--format", "json", *args, floor.target], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@suite.test
def closed_loops_of_h2load_and_ours_are_both_bounded_by_the_same_floor():
    """One target, in turn. h2load's client is the cheaper one; on few cores what the client takes
    the server lacks, so the rates may differ by that much, and by no more."""
    seconds = 5 if LONG else 1
    with Folder() as folder, Floor() as floor:
        ratios = []
        for _ in range(5 if LONG else 3):
            theirs = h2load_rate(floor, folder, seconds)
            ours = load_json("recommend", "--target", floor.target, "--rate", "max", "--duration",
                             f"{seconds}s", "--connections", "4", "--concurrency", "8")["goodput"]
            ratios.append(ours / theirs)
    print(f"# ours / h2load: {ratios}")
    assert 0.15 < statistics.median(ratios) < 1.6, ratios


@suite.test
def latencies_of_ghz_and_ours_agree_at_a_rate_both_hold():
    """Both open loop at a low rate, in turn; ghz counts from when it sends."""
    rate, seconds = 200, (10 if LONG else 2)
    with Floor() as floor:
        ratios = []
        for _ in range(3):
            theirs = ghz_run(floor, "--rps", str(rate), "--duration", f"{seconds}s",
                             "--concurrency", "50", "--async")
            ours = load_json("recommend", "--target", floor.target, "--rate", rate, "--arrivals",
                             "fixed", "--duration", f"{seconds}s", "--connections", "4")
            assert abs(theirs["count"] / (rate * seconds) - 1) < 0.1, theirs["count"]
            assert ours["ok"] == rate * seconds, ours
            median = next(point["latency"] for point in theirs["latencyDistribution"]
                          if point["percentage"] == 50) / 1e3
            ratios.append(ours["p50_us"] / median)
    print(f"# our median / ghz's: {ratios}")
    assert 0.2 < statistics.median(ratios) < 3, ratios


# ---- commands ----

@suite.test
def every_kind_of_call_is_answered_by_a_cell_and_the_mix_is_kept():
    with Folder() as folder:
        run("demo-data", "--out", folder / "shop", "--customers", "300", "--items", "200",
            "--days", "20")
        run("import", "--data", folder / "data", *(folder / "shop" / f"{name}.jsonl" for name in (
            "items", "customers", "channels", "events")))
        with Server(folder / "data", http=True) as server:
            result = load_json(
                "mixed", "--target", server.target, "--rate", "300", "--duration", "2s",
                "--warmup", "200ms", "--customers", "300", "--timeout", "10s", "--mix",
                "recommend=4,rank=1,similar=2,events=2,profile=1", "--http",
                f"127.0.0.1:{server.http_port}", "--html", folder / "report.html")
            assert result["errors"] == {} and result["ok"] == result["sent"], result
            calls = result["calls"]
            assert set(calls) == {"recommend", "rank", "similar", "events", "profile"}
            assert sum(call["ok"] for call in calls.values()) == result["ok"]
            assert abs(calls["recommend"]["sent"] / result["sent"] - 0.4) < 0.1, calls
            # The server counted what we counted, warm-up included.
            written = [after - before for name, (before, after) in result["metrics"].items()
                       if "grpc_server_handled_total" in name and "WriteEvents" in name
                       and 'grpc_code="OK"' in name]
            assert len(written) == 1 and written[0] >= calls["events"]["ok"], written
            page = (folder / "report.html").read_text()
            assert "Latency by percentile" in page and "Answers by the server" in page
            assert "<script" not in page and "http://" not in page
            history = json.loads(run("profile", "--target", server.target, "--customer", "C000001",
                                     "--json").stdout)
            assert history, "the events of the load stand in histories"


@suite.test
def sweep_ends_with_a_knee_below_where_it_was_lost_and_draws_it():
    with Folder() as folder, Floor() as floor:
        sweep = load_json("sweep", "--target", floor.target, "--duration", "300ms", "--warmup",
                          "100ms", "--steps", "4", "--closer", "1", "--max-rate", "2000",
                          "--p99-factor", "100000", "--html", folder / "sweep.html", "--svg",
                          folder / "sweep.svg")
        rates = [step["rate"] for step in sweep["steps"]]
        assert rates == sorted(rates) and len(rates) >= 2
        held = [step["rate"] for step in sweep["steps"] if step["held"]]
        assert sweep["knee"] == (max(held) if held else 0), sweep
        assert "<svg" in (folder / "sweep.html").read_text()
        import xml.etree.ElementTree as xml
        assert xml.parse(folder / "sweep.svg").getroot().tag.endswith("svg")


@suite.test
def a_target_compared_with_itself_is_within_noise_and_with_a_slow_one_is_not():
    with Folder() as folder, Floor() as one, Floor() as other:
        same = load_json("compare", one.target, other.target, "--rate", "200", "--duration",
                         "300ms", "--warmup", "100ms", "--rounds", "4")
        assert same["in_turn"] and same["a"]["rounds"] == same["b"]["rounds"] == 4
        goodput = same["metrics"]["goodput"]
        assert goodput["low"] < 1 < goodput["high"] or abs(goodput["ratio"] - 1) < 0.1, goodput
        reports = []
        for rate in (100, 400):
            reports.append(folder / f"{rate}.json")
            reports[-1].write_text(load("recommend", "--target", one.target, "--rate", rate,
                                        "--duration", "1s", "--warmup", "100ms", "--json").stdout)
        between = load_json("compare", *reports)["metrics"]["goodput"]
        assert between["differs"] and 3 < between["ratio"] < 5, between
        load("compare", reports[0], "--rate", "1", status=2)


@suite.test
def what_is_wrong_is_said_and_the_status_tells():
    with Folder() as folder, Floor() as floor:
        for args, word in ((("--rate", "fast"), "--rate"), (("--customers", "0"), "--customers"),
                           (("--metadata", "x"), "NAME=VALUE"), (("--http", "nowhere"), "HOST:PORT"),
                           (("--zipf", "-1"), "zipf")):
            assert word in load("recommend", "--target", floor.target, *args, status=2).stderr
        assert "mix" in load("mixed", "--target", floor.target, "--mix", "all", status=2).stderr
        (folder / "empty").write_text("\n")
        load("recommend", "--target", floor.target, "--customers", folder / "empty", status=2)
        nobody = load("recommend", "--target", "127.0.0.1:1", "--rate", "20", "--duration", "200ms",
                      "--warmup", "0ms", "--timeout", "200ms", "--json", status=1)
        assert json.loads(nobody.stdout)["ok"] == 0


@suite.test
def a_floor_with_certificates_answers_only_who_has_one_too():
    with Folder() as folder:
        subprocess.run([ROOT / "deploy" / "certs.sh", folder.path], check=True, timeout=60,
                       capture_output=True)

        def tls(name):
            return ["--tls-cert", folder / f"{name}.pem", "--tls-key", folder / f"{name}.key",
                    "--tls-ca", folder / "ca.pem"]

        few = ["--rate", "50", "--duration", "200ms", "--warmup", "0ms", "--json"]
        with Floor(*tls("server")) as floor:
            result = load_json("recommend", "--target", floor.target, *few, *tls("gateway"))
            assert result["ok"] == result["sent"] > 0, result
            for stranger in ([], ["--tls-ca", folder / "ca.pem"]):
                load("recommend", "--target", floor.target, *few, *stranger, status=1)
        assert "all of" in load("floor", "--tls-cert", "x", status=2).stderr


@suite.test
def calls_that_could_not_be_sent_are_counted_and_fail_a_strict_run():
    with Floor() as floor:
        floor.process.send_signal(signal.SIGSTOP)
        result = load("recommend", "--target", floor.target, "--rate", "500", "--duration", "500ms",
                      "--warmup", "0ms", "--timeout", "1s", "--max-outstanding", "10", "--strict",
                      "--json", status=1)
        found = json.loads(result.stdout)["generator"]
        assert found["unsent"] > 100 and found["limited"], found
        assert "measured itself" in result.stderr


if __name__ == "__main__":
    suite.run()
