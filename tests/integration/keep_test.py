#!/usr/bin/env python3
"""backup, restore, verify and doctor; and every command with --data beside a running server."""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Skip, Suite, run, run_json  # noqa: E402

suite = Suite("keep")
folder = Folder()
SHOP, DATA, BACKUPS = folder / "shop", folder / "data", folder / "backups"
KILLS = 60 if os.environ.get("VITRINE_TEST_ALL") == "1" else 5


def backup(data=DATA, to=BACKUPS, *args, **more):
    return run_json("backup", "--data", data, "--to", to, *args, **more)


def restore(data, *args, **more):
    return run_json("restore", "--from", BACKUPS, "--data", data, *args, **more)


def backups():
    return run_json("restore", "--from", BACKUPS, "--list")["backups"]


def verify(data, status=0):
    return run_json("verify", "--data", data, status=status)


def told(data, text, status=1):
    """The findings of `verify` whose words hold `text`; there must be one."""
    findings = verify(data, status=status)["findings"]
    hits = [finding for finding in findings if text in finding["what"]]
    assert hits and all(finding["do"] for finding in hits), (text, findings)
    return hits


def doctor(*args, status=None):
    """Findings by name of the check, with the level of each."""
    return {finding["check"]: finding
            for finding in run_json("doctor", *args, status=status)["findings"]}


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at if at >= 0 else path.stat().st_size + at)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0x40]))


def tables(data):
    return sorted((data / "live").glob("*.sst"), key=lambda path: path.stat().st_size)


@suite.test
def every_command_with_a_data_folder_works_beside_its_server():
    run("demo-data", "--out", SHOP, "--customers", "600", "--items", "200", "--days", "30",
        "--seed", "3")
    with Server(DATA):
        run("import", "--data", DATA, SHOP)
        first = run_json("train", "--data", DATA, "--set", "factors=8")["version"]
        second = run_json("train", "--data", DATA, "--set", "factors=8", "--no-gate")["version"]
        run("evaluate", "--data", DATA, "--algorithm", "popularity")
        assert run_json("models", "list", "--data", DATA)["current"] == second
        run("models", "rollback", "--data", DATA)
        run("models", "show", first, "--data", DATA)
        run("models", "verify", second, "--data", DATA)
        run("models", "activate", second, "--data", DATA)
        run("models", "export", first, "--data", DATA, "--out", folder / "arrays")
        assert backup()["sequence"] > 0
        assert verify(DATA)["whole"]
        found = doctor("--data", DATA)
        assert "serves and answers" in found["server"]["what"], found
        assert not list(DATA.glob(".checkpoint-*"))
        assert run("restore", "--from", BACKUPS, "--data", DATA, status=1).stderr.count("not empty")


@suite.test
def a_backup_under_load_restores_exactly_to_its_sequence():
    acknowledged, stop, failures = [], threading.Event(), []

    def write(server, number):
        for count in range(10 ** 6):
            if stop.is_set():
                return
            customer = f"load-{number}-{count}"
            try:
                answer = server.ask("event", "--customer", customer, "--item", "KI00-00001")
                acknowledged.append((int(answer["results"][0]["sequence"]), customer))
            except AssertionError as error:
                failures.append(error)

    with Server(DATA) as server:
        threads = [threading.Thread(target=write, args=(server, n)) for n in range(3)]
        for thread in threads:
            thread.start()
        made = []
        try:
            for _ in range(4):
                before = len(acknowledged)
                made.append((before, backup()))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not failures, failures[:2]
    assert len(acknowledged) > 10, "there was no load"
    for number, (n_before, done) in enumerate(made[::3]):
        target = folder / f"restored-{number}"
        assert restore(target, "--backup", done["id"])["sequence"] == done["sequence"]
        assert all(sequence <= done["sequence"] for sequence, _ in acknowledged[:n_before])
        assert verify(target)["sequence"] == done["sequence"]
        with Server(target) as server:
            for sequence, customer in acknowledged[::max(1, len(acknowledged) // 40)]:
                found = server.ask("profile", "--customer", customer)["found"]
                assert found == (sequence <= done["sequence"]), (sequence, done["sequence"])


@suite.test
def a_restored_folder_serves_what_the_first_one_served():
    target = folder / "again"
    with Server(DATA) as server:
        customer = json.loads((SHOP / "customers.jsonl").read_text().splitlines()[0])["id"]
        profile = server.ask("profile", "--customer", customer)
        items = server.ask("recommend", "--customer", customer)["items"]
        backup()
    restore(target)
    with Server(target) as server:
        assert server.ask("profile", "--customer", customer) == profile
        assert server.ask("recommend", "--customer", customer)["items"] == items
        server.ask("event", "--customer", customer, "--item", "KI00-00001")
    for name in ("token.key", "channels.jsonl", "bundles/CURRENT"):
        assert (target / name).read_bytes() == (DATA / name).read_bytes(), name
    assert backup(target)["id"], "what was restored goes on in the same folder of backups"


@suite.test
def who_was_erased_after_the_backup_is_erased_again_by_a_restore():
    data, to = folder / "forgetful", folder / "forgetful-backups"
    with Server(data) as server:
        for customer in ("early-bird", "late-riser", "stays-here"):
            server.ask("event", "--customer", customer, "--item", "SKU-1")
        run("erase", "--data", data, "--customer", "early-bird", "--now")
        done = backup(data, to)
        run("erase", "--data", data, "--customer", "late-riser", "--now")
        assert verify(data)["whole"]
    plain, newer, within = folder / "plain", folder / "newer", folder / "within"

    def restore_to(target, *args):
        return run_json("restore", "--from", to, "--data", target, *args)

    assert not restore_to(plain)["erasures_applied"]
    assert restore_to(newer, "--erasures", data / "audit.log")["erased_again"] == 1
    within.mkdir()
    shutil.copy(data / "audit.log", within)
    assert restore_to(within)["erased_again"] == 1
    for target in (newer, within):
        assert verify(target)["sequence"] > done["sequence"]
        log = (target / "audit.log").read_text()
        assert log.startswith((data / "audit.log").read_text()), "the newer log goes on"
        assert not [path for path in target.rglob("*")
                    if path.is_file() and b"late-riser" in path.read_bytes()]
    for target, found in ((plain, True), (newer, False), (within, False)):
        with Server(target) as server:
            ask = lambda customer: server.ask("profile", "--customer", customer)["found"]
            assert ask("late-riser") == found and ask("stays-here") and not ask("early-bird")


@suite.test
def a_second_backup_copies_little():
    first = backup()
    again = backup()
    assert again["copied_bytes"] < first["bytes"] / 20, (first, again)
    with Server(DATA) as server:
        server.ask("event", "--customer", "one-more", "--item", "KI00-00001")
        assert backup()["copied_bytes"] < first["bytes"] / 4


@suite.test
def old_backups_go_by_number_and_by_age():
    assert backup(DATA, BACKUPS, "--keep", "2")["kept"] == 2
    assert len(backups()) == 2
    assert backup(DATA, BACKUPS, "--max-age", "1ms")["kept"] == 1
    run("restore", "--from", BACKUPS, "--check")
    names = {path.name for path in (BACKUPS / "files").iterdir()}
    held = {file["sha256"]
            for path in (BACKUPS / "backups").iterdir()
            for file in json.loads(path.read_text())["files"]}
    assert names == held, "contents that no backup holds are left, or some are missing"


def killed(arguments, delay_s):
    process = subprocess.Popen([VITRINE, *map(str, arguments)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    time.sleep(delay_s)  # the moment of the kill, not a wait for anything
    process.send_signal(signal.SIGKILL)
    process.wait()


@suite.test
def a_backup_killed_at_any_moment_leaves_the_earlier_ones_whole():
    chance = random.Random(5)
    with Server(DATA) as server:
        for number in range(KILLS):
            server.ask("event", "--customer", f"kill-{number}", "--item", "KI00-00001")
            killed(("backup", "--data", DATA, "--to", BACKUPS), chance.uniform(0.005, 0.25))
            for done in backups():
                run("restore", "--from", BACKUPS, "--check", "--backup", done["id"])
        last = backup()
        for done in backups():
            run("restore", "--from", BACKUPS, "--check", "--backup", done["id"])
    assert restore(folder / "after-kills")["sequence"] == last["sequence"]
    assert not list((BACKUPS / "files").glob(".copy-*"))


@suite.test
def a_restore_killed_at_any_moment_is_run_again():
    chance = random.Random(6)
    want = backups()[0]["sequence"]
    for number in range(KILLS):
        target = folder / f"killed-{number}"
        killed(("restore", "--from", BACKUPS, "--data", target), chance.uniform(0.005, 0.2))
        done = run("restore", "--from", BACKUPS, "--data", target, "--json", status=None)
        if done.returncode != 0:  # it had come to its end, or was killed while cleaning up
            assert "not empty" in done.stderr, done.stderr
        assert verify(target)["sequence"] == want
        shutil.rmtree(target)


@suite.test
def a_server_does_not_start_on_half_a_restore():
    target = folder / "half"
    (target / ".restore").mkdir(parents=True)
    done = run("serve", "--data", target, "--listen", "127.0.0.1:0", status=1)
    assert "run `vitrine restore` again" in done.stderr, done.stderr
    assert doctor("--data", target)["restore"]["level"] == "bad"
    restore(target)
    assert verify(target)["whole"] and not (target / ".restore").exists()


@suite.test
def a_damaged_backup_is_refused_by_name_and_restores_nothing():
    copy = folder / "damaged-backups"
    shutil.copytree(BACKUPS, copy)
    manifest = next((copy / "backups").iterdir())
    files = json.loads(manifest.read_text())["files"]
    table = max((file for file in files if file["path"].endswith(".sst")),
                key=lambda file: file["bytes"])
    flip(copy / "files" / table["sha256"], table["bytes"] // 2)
    for args in (("--check",), ("--data", folder / "never")):
        done = run("restore", "--from", copy, "--backup", manifest.stem, *args, status=1)
        assert table["path"] in done.stderr and "damaged" in done.stderr, done.stderr
    assert not list((folder / "never").iterdir())
    flip(manifest, -20)
    done = run("restore", "--from", copy, "--backup", manifest.stem, "--check", status=1)
    assert manifest.name in done.stderr, done.stderr


@suite.test
def a_folder_of_another_store_or_of_something_else_is_refused():
    other = folder / "other"
    run("import", "--data", other, SHOP / "items.jsonl")
    done = run("backup", "--data", other, "--to", BACKUPS, status=1)
    assert "another folder" in done.stderr, done.stderr
    done = run("backup", "--data", other, "--to", SHOP, status=1)
    assert "something else" in done.stderr, done.stderr
    done = run("backup", "--data", other, "--to", other / "inside", status=1)
    assert "within the data folder" in done.stderr, done.stderr
    done = run("restore", "--from", folder / "nothing", "--data", folder / "never", status=1)
    assert "no backups" in done.stderr, done.stderr


@suite.test
def a_full_disk_leaves_the_earlier_backups_and_nothing_half():
    small = folder / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1536k", "none", small],
                             capture_output=True)
    if mounted.returncode != 0:
        raise Skip("no right to mount a small file system")
    try:
        data = folder / "growing"
        run("import", "--data", data, SHOP / "items.jsonl")
        first = backup(data, small / "b")
        (data / "large").write_bytes(random.Random(1).randbytes(2 << 20))
        done = run("backup", "--data", data, "--to", small / "b", status=1)
        assert "No space left" in done.stderr, done.stderr
        left = run_json("restore", "--from", small / "b", "--list")["backups"]
        assert [made["id"] for made in left] == [first["id"]]
        run("restore", "--from", small / "b", "--check")
        (data / "large").unlink()
        assert backup(data, small / "b")["kept"] == 2
    finally:
        subprocess.run(["umount", small], check=True)


# ---- verify ----

@suite.test
def verify_names_the_file_of_a_damaged_table():
    data = folder / "flipped"
    restore(data)
    victim = tables(data)[-1]
    flip(victim, victim.stat().st_size // 3)
    hits = told(data, victim.name)
    assert "restore a backup" in hits[0]["do"], hits


@suite.test
def verify_names_a_damaged_model_and_a_pointer_to_nothing():
    data = folder / "models"
    restore(data)
    current = (data / "bundles" / "CURRENT").read_text().strip()
    array = max((data / "bundles" / current).glob("*.arr"), key=lambda path: path.stat().st_size)
    flip(array, -100)
    assert current in told(data, array.name)[0]["what"]
    shutil.rmtree(data / "bundles" / current)
    told(data, f"CURRENT names {current}")


@suite.test
def verify_finds_a_store_below_its_mark():
    data = folder / "behind"
    first, last = folder / "behind-first", folder / "behind-last"
    run("import", "--data", data, SHOP / "items.jsonl")
    shutil.copytree(data, first)
    run("import", "--data", data, SHOP)
    shutil.copytree(data, last)
    shutil.copy(last / "live.acked", first / "live.acked")
    told(first, "acknowledged up to")
    found = doctor("--data", first, status=1)
    assert found["store"]["level"] == "bad" and "acknowledged" in found["store"]["what"], found


@suite.test
def the_first_format_is_whole_and_can_be_backed_up_and_restored():
    import tarfile
    from vitrine import ROOT
    data, to = folder / "first-format", folder / "first-format-backups"
    with tarfile.open(ROOT / "tests/testlib/fixtures/data-folder-1/data.tar.gz") as packed:
        packed.extractall(data, filter="data")
    assert verify(data)["whole"]
    done = backup(data, to)
    run("restore", "--from", to, "--data", folder / "first-format-again")
    assert verify(folder / "first-format-again")["sequence"] == done["sequence"]


# ---- doctor ----

@suite.test
def doctor_finds_nothing_bad_in_a_good_folder():
    found = doctor("--data", DATA)
    bad = [finding for finding in found.values() if finding["level"] == "bad"]
    assert not [finding for finding in bad if finding["check"] != "file-descriptors"], bad
    assert {"blas", "cpu", "clock", "free-space", "fsync", "server", "store", "model"} <= set(found)


@suite.test
def doctor_says_what_is_wrong_with_a_folder():
    data = folder / "ill"
    restore(data)
    (data / "token.key").chmod(0o644)
    (data / ".checkpoint-1" / "data").mkdir(parents=True)
    current = (data / "bundles" / "CURRENT").read_text().strip()
    array = max((data / "bundles" / current).glob("*.arr"), key=lambda path: path.stat().st_size)
    flip(array, -100)
    found = doctor("--data", data, status=1)
    assert found["permissions"]["level"] == "bad" and "token.key" in found["permissions"]["what"]
    assert found["checkpoints"]["level"] == "warn", found
    assert found["model"]["level"] == "bad" and array.name in found["model"]["what"], found
    assert all(finding["do"] for finding in found.values() if finding["level"] != "ok")
    flip(tables(data)[0], -8)  # in the footer, which opening reads
    for table in tables(data):
        flip(table, -8)
    assert doctor("--data", data, status=1)["store"]["level"] == "bad"


@suite.test
def doctor_tells_an_empty_and_a_missing_folder_apart():
    (folder / "vacant").mkdir(mode=0o700)
    assert doctor("--data", folder / "vacant")["store"]["level"] == "warn"
    assert doctor("--data", folder / "nowhere", status=1)["folder"]["level"] == "bad"


@suite.test
def doctor_judges_certificates():
    (folder / "bad.pem").write_text("not a certificate")
    found = doctor("--tls-ca", folder / "bad.pem", status=1)
    assert found["certificates"]["level"] == "bad", found


if __name__ == "__main__":
    try:
        suite.run()
    finally:
        folder.close()
