#!/usr/bin/env python3
"""The units of systemd, as it judges them, and what services tell it. The test is its own manager."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "testlib"))
from vitrine import ROOT, VITRINE, WAIT_S, Folder, Server, Skip, Suite, run, run_json  # noqa: E402

suite = Suite("deploy/systemd")
folder = Folder()
DATA = folder / "data"
UNITS = ROOT / "deploy" / "systemd"
EXPOSURE_MAX = 15  # tenths; systemd calls up to 20 "OK"
BEAT_S = 0.4


class Manager:
    """What a service manager listens on."""

    def __init__(self, name):
        self.path = str(folder / f"{name}.notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.environment = {"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": str(int(BEAT_S * 1e6))}

    def heard(self, timeout=WAIT_S):
        """The next message, or None when none comes in that time."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return None


def systemd_analyze(*args, **environment):
    if shutil.which("systemd-analyze") is None:
        raise Skip("no systemd-analyze")
    return subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **environment})


def installed():
    """The units where a machine would have them, with programs of this build, for verify."""
    root = folder / "units"
    if not root.exists():
        shutil.copytree(UNITS, root)
        for unit in root.glob("*.service"):
            text = re.sub(r"^ExecStart=(vitrine|vitrine-gateway) ", f"ExecStart={VITRINE} ",
                          unit.read_text(encoding="utf-8"), flags=re.M)
            unit.write_text(text, encoding="utf-8")
    return root


def instances():
    return sorted(path.name.replace("@.", "@0.") for path in UNITS.iterdir()
                  if path.suffix in (".service", ".target", ".timer"))


@suite.test
def systemd_finds_nothing_wrong_with_the_units():
    done = systemd_analyze("verify", "--recursive-errors=yes", "--man=no", *instances(),
                           SYSTEMD_UNIT_PATH=f"{installed()}:")
    ours = [line for line in done.stderr.splitlines() if "vitrine" in line]
    assert not ours, "\n".join(ours)


@suite.test
def a_mistake_in_a_unit_would_be_found():
    broken = folder / "broken"
    shutil.copytree(installed(), broken)
    unit = broken / "vitrine-profile.service"
    unit.write_text(unit.read_text(encoding="utf-8").replace("WatchdogSec", "WatchdogSek"),
                    encoding="utf-8")
    done = systemd_analyze("verify", "--recursive-errors=yes", "--man=no", unit.name,
                           SYSTEMD_UNIT_PATH=f"{broken}:")
    assert "WatchdogSek" in done.stderr, done.stderr


@suite.test
def every_service_is_confined():
    root = folder / "root"
    shutil.copytree(UNITS, root / "etc" / "systemd" / "system")
    for name in instances():
        if name.endswith(".service"):
            done = systemd_analyze("security", f"--root={root}", "--offline=true",
                                   f"--threshold={EXPOSURE_MAX}", name)
            assert done.returncode == 0, done.stdout + done.stderr


@suite.test
def the_units_name_options_that_exist():
    shown = run("serve", "--help").stdout + run("train", "--help").stdout
    known = set(re.findall(r"--([a-z][a-z-]*)", shown))
    for path in [*UNITS.glob("*.service"), UNITS / "vitrine.env"]:
        text = path.read_text(encoding="utf-8")
        used = set(re.findall(r"(?<=\s)--([a-z-]+)", text)) if "ExecStart=vitrine " in text else set()
        used |= {name.lower().replace("_", "-") for name in re.findall(r"\bVITRINE_([A-Z_]+)=", text)}
        assert used <= known, (path.name, used - known)


@suite.test
def ready_comes_when_calls_may_and_stopping_when_none_should():
    run_json("demo-data", "--out", folder / "shop", "--customers", "100", "--items", "100",
             "--days", "10")
    run("import", "--data", DATA, folder / "shop" / "items.jsonl", folder / "shop" / "events.jsonl")
    manager = Manager("whole")
    with Server(DATA, environment=manager.environment) as server:
        assert manager.heard() == "READY=1\nSTATUS=serving"
        run("health", "--target", server.target)
        assert manager.heard() == "WATCHDOG=1"
        assert manager.heard() == "WATCHDOG=1"
        server.process.send_signal(signal.SIGTERM)
        while (said := manager.heard()) == "WATCHDOG=1":
            pass
        assert said == "STOPPING=1\nSTATUS=draining", said
        server.process.wait(WAIT_S)
    assert manager.heard(0.001) is None


@suite.test
def who_waits_for_another_service_is_not_ready():
    manager = Manager("waiting")
    with Server(DATA, "--role", "candidate", "--profile", "127.0.0.1:1", http=True,
                wait_ready=False, environment=manager.environment) as server:
        assert server.page("/livez")[0] == 200
        assert server.page("/readyz")[0] == 503
        assert manager.heard(2 * BEAT_S) is None


@suite.test
def the_watchdog_is_silent_once_the_port_is_gone():
    manager = Manager("port")
    port = folder / "port"
    server = subprocess.Popen([VITRINE, "serve", "--data", str(DATA), "--listen", f"unix:{port}",
                               "--drain-linger", "0ms"], stderr=subprocess.DEVNULL,
                              env={**os.environ, **manager.environment})
    try:
        assert manager.heard() == "READY=1\nSTATUS=serving"
        assert manager.heard() == "WATCHDOG=1"
        port.unlink()
        end = time.monotonic() + WAIT_S
        while manager.heard(4 * BEAT_S) is not None:
            assert time.monotonic() < end, "nobody can connect, and the watchdog goes on"
    finally:
        server.terminate()
        server.wait(WAIT_S)


@suite.test
def install_puts_everything_in_place():
    build = pathlib.Path(VITRINE).parents[1]
    if not (build / "cmake_install.cmake").exists():
        raise Skip("no build folder around this program")
    target = folder / "installed"
    subprocess.run(["cmake", "--install", str(build), "--prefix", str(target)], check=True,
                   capture_output=True, timeout=60)
    units = target / "lib" / "systemd" / "system"
    for path in UNITS.rglob("*"):
        if path.suffix in (".service", ".timer", ".target", ".conf"):
            assert (units / path.relative_to(UNITS)).read_bytes() == path.read_bytes(), path
    assert (target / "lib" / "sysusers.d" / "vitrine.conf").exists()
    assert (target / "share" / "vitrine" / "vitrine.env").exists()
    assert os.access(target / "bin" / "vitrine", os.X_OK)


try:
    suite.run()
finally:
    folder.close()
