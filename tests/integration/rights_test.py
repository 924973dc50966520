#!/usr/bin/env python3
"""What a customer may ask for: to see everything, and to be forgotten by every file.

The long form (VITRINE_TEST_ALL=1) kills more often and erases many at once.
"""

import datetime
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Suite, run, run_json  # noqa: E402

LONG = os.environ.get("VITRINE_TEST_ALL") == "1"
N_KILLS = 40 if LONG else 4
N_CROWD = 60 if LONG else 4  # a server takes 64 erasures at a time

suite = Suite("rights")
folder = Folder()
SHOP = folder / "shop"
run("demo-data", "--out", SHOP, "--customers", "300", "--items", "100", "--days", "20",
    "--seed", "5")


def traces(data, words):
    """{word: files of the whole data folder that hold its bytes}."""
    found = {}
    for path in sorted(pathlib.Path(data).rglob("*")):
        if not path.is_file():
            continue
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # compacted away meanwhile
            continue
        for word in words:
            if word.encode() in content:
                found.setdefault(word, []).append(path.name)
    return found


def visit(server, name):
    """Some events of a customer and their visitor id; returns what must not stay anywhere."""
    words = [f"{name}-member", f"{name}-visitor", f"{name} likes zebras", f"{name}-token"]
    server.ask("event", "--customer", words[0], "--type", "search", "--query", words[2])
    server.ask("event", "--customer", words[0], "--item", "KI00-00001", "--token", words[3])
    server.ask("event", "--visitor", words[1], "--item", "KI00-00002")
    run("link", "--target", server.target, f"member:{words[0]}", f"visitor:{words[1]}")
    return words


def profile(server, name):
    return server.ask("profile", "--customer", f"{name}-member")


def actions(data):
    """Of the whole lines of the audit log; a kill may leave half a one."""
    return [json.loads(line)["action"]
            for line in (data / "audit.log").read_text(encoding="ascii").split("\n")[:-1]]


def told(text):
    """An export without what differs from one to the next."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[-1] == {"record": "end", "lines": len(lines) - 1}, lines[-1]
    return [line for line in lines if line["record"] not in ("export", "audit", "end")]


@suite.test
def an_export_is_the_same_over_the_network_beside_a_server_and_alone():
    data = folder / "export"
    with Server(data) as server:
        words = visit(server, "ann")
        visit(server, "bob")
        remote = told(run("export", "--target", server.target, "--customer", words[0]).stdout)
        beside = told(run("export", "--data", data, "--identity", f"visitor:{words[1]}").stdout)
    out = folder / "ann.jsonl"
    run("export", "--data", data, "--customer", words[0], "--out", out)
    assert told(out.read_text(encoding="utf-8")) == remote == beside
    assert out.stat().st_mode & 0o777 == 0o600
    text = json.dumps(remote)
    assert all(word in text for word in words) and "bob" not in text
    assert [line["record"] for line in remote] == [
        "customer", "identity", "identity", "merged_customer", "history", "history", "event",
        "event", "event"], remote
    assert actions(data) == ["export"] * 3


@suite.test
def who_is_unknown_or_not_named_is_said():
    data = folder / "export"
    with Server(data) as server:
        for place in (("--target", server.target), ("--data", data)):
            for command in ("export", "erase"):
                done = run(command, *place, "--customer", "nobody", status=1)
                assert "nobody is known by this id" in done.stderr, done.stderr
    for command in ("export", "erase"):
        run(command, "--data", data, "--customer", "nobody", status=1)
        run(command, "--data", data, status=2)
        run(command, "--customer", "ann", status=2)
        run(command, "--data", data, "--identity", "ann", status=2)
        run(command, "--data", folder / "typo", "--customer", "ann", status=1)
    assert not (folder / "typo").exists()
    assert actions(data) == ["export"] * 3, "nothing was done, so nothing is written"


@suite.test
def erase_now_under_load_leaves_no_byte_in_any_file():
    data = folder / "load"
    with Server(data) as server:
        words = visit(server, "ann")
        before = profile(server, "ann")
        found = traces(data, words)
        assert set(found) == set(words), f"the search finds what is there: {found}"
        load = subprocess.Popen([VITRINE, "import", "--data", str(data), str(SHOP)],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        while "writing through it" not in load.stderr.readline():
            assert load.poll() is None, "the import ended early"
        asked = server.ask("erase", "--customer", words[0], "--validate-only")
        assert asked["customers"] == 2 and asked["receiptId"] == "" and profile(server, "ann")["found"]
        erased = server.ask("erase", "--identity", f"visitor:{words[1]}", "--now")
        found = traces(data, words)
        load.stderr.read()
        assert load.wait(60) == 0
        assert erased["done"] and erased["customerNumber"] == before["customerNumber"], erased
        assert found == {}, found
        assert not profile(server, "ann")["found"]
        run("export", "--data", data, "--customer", words[0], status=1)

        server.ask("event", "--customer", words[0], "--item", "KI00-00003")
        after = profile(server, "ann")
        assert int(after["customerNumber"]) > int(before["customerNumber"])
        assert after["itemIds"] == ["KI00-00003"], after
    log = [json.loads(line) for line in (data / "audit.log").read_text().splitlines()]
    assert [line["action"] for line in log] == ["erase_requested", "erase_done", "erase_done"]
    assert erased["receiptId"].startswith("1-") and log[0]["hash"].startswith(
        erased["receiptId"].split("-")[1])
    assert traces(data, words[1:]) == {}


@suite.test
def a_store_that_nobody_serves_erases_to_the_end():
    data = folder / "alone"
    with Server(data) as server:
        words = visit(server, "ann")
    erased = run_json("erase", "--data", data, "--customer", words[0])
    assert erased["done"] and traces(data, words) == {}, erased
    assert actions(data) == ["erase_requested", "erase_done", "erase_done"]


@suite.test
def a_restored_backup_forgets_again_whom_a_newer_audit_log_names():
    data, backups, restored = folder / "again", folder / "backups", folder / "restored"
    with Server(data) as server:
        words = visit(server, "ann")
        visit(server, "bob")
    run("backup", "--data", data, "--to", backups)
    made = datetime.datetime.now(datetime.timezone.utc).isoformat()
    assert run_json("erase", "--data", data, "--customer", words[0])["done"]
    run("restore", "--from", backups, "--data", restored)
    again = ("erase", "--data", restored, "--again-from", data / "audit.log")
    run(*again, status=2)
    run(*again, "--since", made, "--customer", words[0], status=2)
    assert set(traces(restored, words)) != set()
    assert run_json(*again, "--since", made) == {"erased": 1}
    assert traces(restored, words) == {}
    assert run_json(*again, "--since", made) == {"erased": 0}
    with Server(restored) as server:
        assert not profile(server, "ann")["found"] and profile(server, "bob")["found"]


@suite.test
def a_kill_at_any_moment_of_an_erasure_is_mended_by_the_next_pass():
    data, seed, words, forgotten = folder / "kill", random.Random(31), [], 0
    for i in range(N_KILLS):
        with Server(data) as server:
            words += visit(server, f"victim{i}")
            erase = threading.Thread(target=run, args=(
                "erase", "--target", server.target, "--customer", f"victim{i}-member", "--now"),
                kwargs={"status": None})
            erase.start()
            try:
                while erase.is_alive() and actions(data).count("erase_requested") <= i:
                    pass
                erase.join(seed.uniform(0, 0.06))  # where in the pass it falls is what is tried
            finally:
                server.stop(signal.SIGKILL)
                erase.join()
    with Server(data) as server:
        for i in range(N_KILLS):
            if not profile(server, f"victim{i}")["found"]:
                forgotten += 1
                continue
            server.ask("erase", "--customer", f"victim{i}-member", "--now")
        visit(server, "last")
        assert server.ask("erase", "--customer", "last-member", "--now")["done"]
        assert traces(data, words) == {}
    print(f"# {forgotten} of {N_KILLS} were committed before the kill")
    requested = actions(data).count("erase_requested")
    assert requested >= N_KILLS + 1 and actions(data).count("erase_done") >= 2 * (N_KILLS + 1)


@suite.test
def many_at_once_share_the_work():
    data = folder / "crowd"
    with Server(data) as server:
        run("import", "--data", data, SHOP)
        words, failures = [], []
        for i in range(N_CROWD):
            words += visit(server, f"crowd{i}")

        def erase(i):
            try:
                assert server.ask("erase", "--customer", f"crowd{i}-member", "--now")["done"]
            except AssertionError as error:
                failures.append(str(error))

        threads = [threading.Thread(target=erase, args=(i,)) for i in range(N_CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures[:2]
        assert traces(data, words) == {}
        passes = [line for line in server.log if line.get("event") == "customers_erased"]
        assert sum(line["customers"] for line in passes) == 2 * N_CROWD
        trained = run_json("train", "--data", data, "--set", "factors=8")
        assert trained["version"]


@suite.test
def no_id_stands_in_a_log_line():
    data = folder / "quiet"  # RocksDB's log goes to another file system than the data
    with tempfile.TemporaryDirectory(prefix="vitrine-it-", dir="/dev/shm") as logs:
        os.environ["XDG_RUNTIME_DIR"] = logs
        with Server(data, "--log-level", "debug") as server:
            words = visit(server, "leak")
            too_long = "leaklong" * 40
            for bad in (("event", "--customer", too_long, "--item", "KI00-00001"),
                        ("event", "--customer", "leak-e", "--id", "leak-id", "--item", "leak" * 99),
                        ("profile", "--customer", too_long),
                        ("recommend", "--customer", too_long)):
                run(*bad, "--target", server.target, status=None)
            run("link", "--target", server.target, "email_hash:leak@example.com", "device:leak-d",
                status=None)
            run("link", "--target", server.target, "member:leak-two", f"member:{words[0]}",
                status=None)
            run("export", "--target", server.target, "--customer", words[0])
            run("export", "--target", server.target, "--customer", "leak-nobody", status=1)
            server.ask("recommend", "--customer", words[0])
            server.ask("erase", "--customer", words[0], "--now")
            own = [path for path in pathlib.Path(logs).rglob("*") if path.is_file()]
            needles = [b"leak", b"leak".hex().encode(), b"leak".hex().upper().encode()]
            assert own and not [path for path in own for needle in needles
                                if needle in path.read_bytes()], own
        del os.environ["XDG_RUNTIME_DIR"]
        lines = json.dumps(server.log)
    assert "customers_erased" in lines and "leak" not in lines, lines
    assert "leak" not in (data / "audit.log").read_text(encoding="ascii")


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
