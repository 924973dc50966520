"""Programs and libraries from package registries that tests use and nothing else needs."""

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


def venv_python():
    """A Python that has grpcio and its tools."""
    venv = TOOLS / "venv"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        install([sys.executable, "-m", "venv", str(venv)], "a Python venv")
        install([str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20",
                 "grpcio", "grpcio-tools"], "grpcio")
        (venv / "complete").write_text("")
    return str(python)


def venv_scipy():
    """A Python that has numpy and scipy."""
    venv = TOOLS / "venv-scipy"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        install([sys.executable, "-m", "venv", str(venv)], "a Python venv")
        install([str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20",
                 "numpy", "scipy"], "scipy")
        (venv / "complete").write_text("")
    return str(python)


def venv_openapi():
    """A Python that has the validator of OpenAPI documents."""
    venv = TOOLS / "venv-openapi"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        install([sys.executable, "-m", "venv", str(venv)], "a Python venv")
        install([str(python), "-m", "pip", "install", "-q", "--retries", "1", "--timeout", "20",
                 "openapi-spec-validator"], "openapi-spec-validator")
        (venv / "complete").write_text("")
    return str(python)


def grpcurl():
    """The path of grpcurl."""
    program = TOOLS / "bin" / "grpcurl"
    if not program.exists():
        if shutil.which("go") is None:
            raise Skip("no go")
        install(["go", "install", "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.8.9"],
                "grpcurl", env={**os.environ, "GOBIN": str(TOOLS / "bin"), "GOFLAGS": "-mod=mod"})
    return str(program)
