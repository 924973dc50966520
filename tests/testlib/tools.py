"""Programs and libraries from package registries that tests use and nothing else needs."""

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys

from vitrine import ROOT, Skip

TOOLS = ROOT / "build" / "clients"  # kept between runs; nothing of it is needed to build
INSTALL_S = 240
missed = {}  # what could not be installed, and why: a registry that is away is asked once


def install(command, what, **more):
    """Runs a package client; a failure means that its registry cannot be reached."""
    if what not in missed:
        missed[what] = install_error(command, what, **more)
    if missed[what] is not None:
        raise Skip(missed[what])


def install_error(command, what, **more):
    """None, or why the package client failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, **more)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{what}: {error}"
    if done.returncode == 0:
        return None
    said = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
    return f"{what} cannot be installed: {said[-1]}"


@contextlib.contextmanager
def only_one(name):
    """One test at a time installs `name`; the others wait, and find it done."""
    TOOLS.mkdir(parents=True, exist_ok=True)
    with open(TOOLS / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back with the file, even by a killed test
        yield


def venv(name, *packages):
    """The Python of a virtual environment that has these packages of PyPI and no others."""
    home = TOOLS / name
    python, complete = home / "bin" / "python", home / "complete"
    wanted = "\n".join(packages)
    with only_one(name):
        if not complete.exists() or complete.read_text() != wanted:
            install([sys.executable, "-m", "venv", str(home)], "a Python venv")
            install([str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20",
                     *packages], packages[0])
            complete.write_text(wanted)
    return str(python)


def venv_python():
    """A Python that has what docs/api.md says a client built from the contract needs."""
    return venv("venv", "grpcio", "grpcio-tools", "googleapis-common-protos")


def venv_scipy():
    """A Python that has numpy and scipy."""
    return venv("venv-scipy", "numpy", "scipy")


def venv_openapi():
    """A Python that has the validator of OpenAPI documents."""
    return venv("venv-openapi", "openapi-spec-validator")


def go_program(package, version):
    """The path of a program that `go install` builds."""
    name = package.rpartition("/")[2]
    program = TOOLS / "bin" / name
    with only_one(name):
        if not program.exists():
            if shutil.which("go") is None:
                raise Skip("no go")
            install(["go", "install", f"{package}@{version}"], name,
                    env={**os.environ, "GOBIN": str(TOOLS / "bin"), "GOFLAGS": "-mod=mod"})
    return str(program)


def grpcurl():
    """The path of grpcurl."""
    return go_program("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.8.9")
