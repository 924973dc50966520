#!/usr/bin/env python3
"""Two builds of the same sources, in folders of different names, give the same programs, byte for byte
and with their debug information. Ordinarily that of a small program; with VITRINE_TEST_ALL all."""

import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from vitrine import ROOT, Folder, Skip, Suite  # noqa: E402

suite = Suite("deploy/reproducible")
folder = Folder()
PROGRAMS = ("vitrine", "vitrine-load", "vitrine-gateway") \
    if os.environ.get("VITRINE_TEST_ALL") == "1" else ("vitrine-gateway",)
# No compiler cache: the second build would be given what the first has made.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if name != "CMAKE_C_COMPILER_LAUNCHER"} | {"CCACHE_DISABLE": "1"}
state = {}


def sources(place):
    """What is under version control, as it stands here."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode != 0:
        raise Skip("no clone: which files are sources is not known")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    return place


def build(place, name):
    """The programs of a release build of `place` in its folder `name`."""
    for command in (["cmake", "--preset", "release", "-DVT_TESTS=OFF", "-B", place / name],
                    ["ninja", "-C", place / name, *PROGRAMS]):
        done = subprocess.run([*map(str, command)], cwd=place, env=ENVIRONMENT, timeout=1800,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return {program: (place / name / "bin" / program).read_bytes() for program in PROGRAMS}


def built():
    if not state:
        for place, name in (("one", "build"), ("a-folder-of-another-name", "release")):
            state[place] = build(sources(folder / place), name)
    return state.values()


@suite.test
def two_builds_give_the_same_bytes():
    one, other = built()
    assert one.keys() == other.keys() == set(PROGRAMS)
    for program in PROGRAMS:
        assert one[program] == other[program], program


@suite.test
def no_program_says_where_it_was_built():
    for programs in built():
        for program, data in programs.items():
            assert str(folder / "").encode() not in data, program


try:
    suite.run()
finally:
    folder.close()
