#!/usr/bin/env python3
"""vitrine train --mpi: ranks of mpirun train the version that one process trains, and a rank that
is killed ends them all with nothing published."""
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from testlib.vitrine import VITRINE, Folder, Skip, Suite, run_json  # noqa: E402

suite = Suite("mpi")
folder = Folder()
POWER_CUT = pathlib.Path(VITRINE).resolve().parents[1] / "tests" / "libvt_power_cut.so"
EVENTS = folder / "events.txt"
SETTINGS = ["--train", str(EVENTS), "--set", "factors=16", "--set", "iterations=4",
            "--threads", "1"]


def write_events(users=1500, items=700, seed=11):
    """Some items are for everybody, the others for one of five tastes."""
    chance = random.Random(seed)
    with open(EVENTS, "w", encoding="ascii") as out:
        for user in range(users):
            liked = {int(items * chance.random() ** 3) for _ in range(8)}
            liked |= {5 * chance.randrange(items // 5) + user % 5 for _ in range(12)}
            out.write(" ".join(map(str, [user, *sorted(liked)])) + "\n")


def mpirun(n, *args):
    if shutil.which("mpirun") is None:
        raise Skip("mpirun is not there")
    if not (pathlib.Path(VITRINE).parent / "vitrine-mpi.so").exists():
        raise Skip("vitrine was built without MPI")
    return ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(n), VITRINE, "train",
            "--mpi", *map(str, args)]


def train(n, name, *more):
    done = subprocess.run(mpirun(n, "--data", folder / name, *SETTINGS, *more),
                          capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, f"{n} ranks: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def arrays(name):
    """Every array of the one version in a folder."""
    version, = [path for path in (folder / name / "bundles").iterdir() if path.is_dir()]
    return {path.name: path.read_bytes() for path in version.iterdir() if path.suffix == ".arr"}


def ranks_of(parent):
    """pid by rank of the processes that mpirun started."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            variables = (entry / "environ").read_bytes().split(b"\0")
        except (OSError, IndexError):
            continue
        rank = [v.split(b"=")[1] for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
        if rank and int(stat[1]) == parent:
            found[int(rank[0])] = int(entry.name)
    return found


@suite.test
def two_and_four_ranks_make_the_bytes_of_one_process():
    mpirun(2)
    run_json("train", "--data", folder / "alone", *SETTINGS)
    alone, needs = arrays("alone"), {}
    assert "item_factors.arr" in alone, sorted(alone)
    for n in (2, 4):
        said = re.search(r"rank 0; each of the other (\d) ranks up to ([0-9.]+) MiB",
                         train(n, f"ranks{n}").stderr)
        assert said and int(said[1]) == n - 1, said
        needs[n] = float(said[2])
        together = arrays(f"ranks{n}")
        assert together.keys() == alone.keys()
        differ = [name for name in alone if alone[name] != together[name]]
        assert not differ, f"{n} ranks: {differ}"
    assert 0 < needs[4] < needs[2], needs


@suite.test
def a_killed_rank_ends_all_and_publishes_nothing():
    args = mpirun(2, "--data", folder / "killed", *SETTINGS, "--set", "iterations=1000",
                  "--patience", "0")
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        for line in process.stderr:  # of rank 0: it is past its start, and far from its end
            if "training needs" in line:
                break
        os.kill(ranks_of(process.pid)[1], signal.SIGKILL)
        out, err = process.communicate(timeout=100)
    assert process.returncode != 0, out
    assert "rank 1" in out + err, (out, err)
    assert not (folder / "killed" / "bundles" / "CURRENT").exists()
    assert not (folder / "killed" / "CURRENT").exists()


@suite.test
def killed_with_a_checkpoint_two_ranks_go_on_to_the_same_bytes():
    """Rank 0 alone writes to the folder; at its AT-th call that changes a file there it is gone,
    and mpirun ends the other."""
    if not POWER_CUT.exists():
        raise Skip("the power cut library is not built")
    continued = 0
    cuts = (40, 75) if "VITRINE_TEST_ALL" in os.environ else (75,)
    for at in cuts:
        data = folder / f"cut{at}"
        data.mkdir()
        args = mpirun(2, "--data", data, *SETTINGS, "--checkpoint-every", "0ms")
        preload = ["-x", f"LD_PRELOAD={POWER_CUT}", "-x",
                   f"VITRINE_POWER_CUT={at}:{at}:{data.resolve()}"]
        cut = subprocess.run(args[:1] + preload + args[1:], capture_output=True, text=True,
                             timeout=200)
        assert cut.returncode != 0, (at, cut.stderr)
        assert not (data / "bundles" / "CURRENT").exists()
        assert list(data.glob("*.checkpoint")), f"no checkpoint before the cut at {at}"
        again = train(2, f"cut{at}", "--checkpoint-every", "0ms")
        continued += "going on from its checkpoint" in again.stderr
        assert arrays(f"cut{at}") == arrays("ranks2"), at
    assert continued == len(cuts), continued


@suite.test
def what_one_machine_must_train_is_refused():
    for more, why in ((["--algorithm", "ease"], "divides the training of ials"),
                      (["--every", "1h"], "trains once")):
        args = mpirun(2, "--data", folder / "refused", "--train", EVENTS, *more)
        done = subprocess.run(args, capture_output=True, text=True, timeout=100)
        assert done.returncode == 2, done
        assert why in done.stderr, done.stderr


if __name__ == "__main__":
    try:
        write_events()
        suite.run()
    finally:
        folder.close()
