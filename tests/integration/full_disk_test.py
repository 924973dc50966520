#!/usr/bin/env python3
"""A disk that fills up under a running server: reads go on, writes are refused, nothing that was
acknowledged is lost, nothing aborts, and writes come back by themselves once there is space."""

import contextlib
import os
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "testlib"))
from vitrine import VITRINE, Folder, Server, Skip, Suite, run  # noqa: E402

suite = Suite("full_disk")
DISK = "40m"
BACK_S = 10  # within which writes must be back after space is
N_EVENTS = 15
FILLER_EVENTS = 6000  # of 1.5 KB that do not compress: far more than the room that is left


@contextlib.contextmanager
def small_disk():
    """A file system of its own, a few MiB small."""
    with Folder() as folder:
        path = folder / "disk"
        path.mkdir()
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(path)],
                               capture_output=True, text=True, check=False)
        if mount.returncode != 0:
            raise Skip("a small file system cannot be mounted here (needs root)")
        try:
            yield path
        finally:
            subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk, leave_bytes):
    """A file that takes all space but about so much."""
    info = os.statvfs(disk)
    take = info.f_bavail * info.f_frsize - leave_bytes
    with open(disk / "ballast", "wb") as ballast:
        os.posix_fallocate(ballast.fileno(), 0, take)


def send(server, event_id):
    """Outcome of one event; None when it was refused."""
    done = subprocess.run([VITRINE, "event", "--target", server.target, "--id", event_id,
                           "--customer", "ann", "--item", "cup", "--timeout", "20s"],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return None, done.stderr
    return ("duplicate" if "duplicate" in done.stdout.lower() else "accepted"), done.stdout


def send_all(server, ids, outcome):
    for event_id in ids:
        got, text = send(server, event_id)
        assert got == outcome, (event_id, got, text)


def assert_reads_go_on(server):
    profile = server.ask("profile", "--customer", "ann")
    assert len(profile["events"]) == N_EVENTS, profile
    server.ask("recommend", "--customer", "ann", "-n", "5")


def wait_until_accepted(server, event_id):
    """Seconds until a write is taken."""
    begin = time.monotonic()
    while (outcome := send(server, event_id))[0] is None:
        assert time.monotonic() - begin < BACK_S, outcome
    assert outcome[0] == "accepted"
    return time.monotonic() - begin


IDS = [f"acknowledged-{i}" for i in range(N_EVENTS)]


@suite.test
def writes_stop_before_the_disk_is_full_and_come_back():
    with small_disk() as disk, Server(disk / "data") as server:
        send_all(server, IDS, "accepted")
        fill(disk, 1 << 20)
        server.wait_for("store_space_low")
        got, text = send(server, "refused")
        assert got is None and "--free-space-min" in text, text
        assert_reads_go_on(server)
        (disk / "ballast").unlink()
        seconds = wait_until_accepted(server, "refused")
        print(f"# writes were back {seconds:.1f} s after space was", flush=True)
        server.wait_for("store_space_enough")
        send_all(server, IDS, "duplicate")
        assert server.stop() == 0


def write_filler(path):
    """Events whose texts do not compress, as an import reads them."""
    random.seed(4)
    with open(path, "w", encoding="ascii") as file:
        for i in range(FILLER_EVENTS):
            noise = random.randbytes(500).hex()
            file.write(f'{{"type":"search","eventId":"filler-{i}","customerId":"bob",'
                       f'"query":"{noise}","time":"2026-06-01T00:00:00Z"}}\n')


def import_filler(data, path, status):
    return run("import", "--data", data, "--min-quality", "0", path, status=status)


@suite.test
def write_that_fails_on_a_full_disk_is_followed_by_recovery():
    with Folder() as other, small_disk() as disk:
        write_filler(other / "events.jsonl")
        fill(disk, 1536 << 10)  # before the start: RocksDB reserves room for its log
        with Server(disk / "data", "--free-space-min", "1") as server:
            send_all(server, IDS, "accepted")
            import_filler(disk / "data", other / "events.jsonl", 1)
            server.wait_for("store_writes_stopped")
            got, _ = send(server, "refused")
            assert got is None
            assert_reads_go_on(server)
            (disk / "ballast").unlink()
            seconds = wait_until_accepted(server, "refused")
            print(f"# writes were back {seconds:.1f} s after space was", flush=True)
            server.wait_for("store_writes_resumed")
            send_all(server, IDS, "duplicate")
            import_filler(disk / "data", other / "events.jsonl", 0)
            assert server.stop() == 0
        with Server(disk / "data") as server:
            send_all(server, IDS + ["refused"], "duplicate")


suite.run()
