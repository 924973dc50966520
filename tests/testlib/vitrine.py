"""What the integration tests share: where the programs are, a server under test, and TAP output.

Python's standard library only. A test file makes a Suite, decorates functions with @suite.test and
ends with suite.run(); every function is one counted case.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("VITRINE_DATA", ROOT.parent / "shared" / "data"))
WAIT_S = 60


def bin_dir():
    if "VITRINE_BIN" in os.environ:
        return pathlib.Path(os.environ["VITRINE_BIN"])
    for preset in ("release", "dev"):
        if (ROOT / "build" / preset / "bin" / "vitrine").exists():
            return ROOT / "build" / preset / "bin"
    sys.exit("no build found: run tests/run.sh, or set VITRINE_BIN")


VITRINE = str(bin_dir() / "vitrine")


class Skip(Exception):
    """Raised by a case that cannot run here; the text says why."""


class Suite:
    def __init__(self, name):
        self.name = name
        self.cases = []

    def test(self, function):
        self.cases.append(function)
        return function

    def run(self):
        failed = 0
        for number, case in enumerate(self.cases, 1):
            title = f"{self.name}/{case.__name__}"
            try:
                case()
                print(f"ok {number} - {title}", flush=True)
            except Skip as why:
                print(f"ok {number} - {title} # SKIP {why}", flush=True)
            except Exception:  # a failed case must not hide the ones behind it
                failed += 1
                print(f"not ok {number} - {title}", flush=True)
                print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
        print(f"1..{len(self.cases)}", flush=True)
        sys.exit(1 if failed else 0)


def run(*args, status=0, timeout=300, stdin=None):
    """Runs `vitrine ARGS`, checks the exit status, returns the finished process."""
    done = subprocess.run([VITRINE, *map(str, args)], capture_output=True, text=True,
                          timeout=timeout, input=stdin)
    if status is not None:
        assert done.returncode == status, (
            f"vitrine {' '.join(map(str, args))}: exit {done.returncode}, not {status}\n"
            f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done


def run_json(*args, **more):
    return json.loads(run(*args, "--json", **more).stdout)


def shared(name):
    path = SHARED / name
    if not path.exists():
        raise Skip(f"{name} is not there")
    return path


class Folder:
    """A temporary folder for the length of a with-block (or until close)."""

    def __init__(self):
        self._holder = tempfile.TemporaryDirectory(prefix="vitrine-it-")
        self.path = pathlib.Path(self._holder.name)

    def __truediv__(self, name):
        return self.path / name

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._holder.cleanup()


class Server:
    """`vitrine serve` on a port the system chose; ready when the constructor returns."""

    def __init__(self, data, *args, http=False, wait_ready=True, environment=None,
                 descriptors=None):
        command = [VITRINE, "serve", "--data", str(data), "--listen", "127.0.0.1:0",
                   "--drain-linger", "0ms", *map(str, args)]
        if http:
            command += ["--http", "127.0.0.1:0"]
        self.log = []
        self._changed = threading.Condition()
        if descriptors is not None:  # as a limit that it cannot raise
            command = ["prlimit", f"--nofile={descriptors}:{descriptors}", *command]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        threading.Thread(target=self._read_log, daemon=True).start()
        listening = self.wait_for("listening")
        self.port, self.http_port = listening["port"], listening["http_port"]
        self.target = f"127.0.0.1:{self.port}"
        if wait_ready:
            self.wait_for("ready")

    def _read_log(self):
        for line in self.process.stderr:
            with self._changed:
                try:
                    self.log.append(json.loads(line))
                except ValueError:
                    self.log.append({"event": "text", "text": line.rstrip()})
                self._changed.notify_all()
        with self._changed:
            self.log.append({"event": "end"})
            self._changed.notify_all()

    def wait_for(self, event, after=0):
        """The first log line of that event from index `after` on."""
        def found():
            return next((line for line in self.log[after:]
                         if line.get("event") in (event, "end")), None)
        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None, WAIT_S), (
                f"no log line '{event}': {self.log[-10:]}")
            line = found()
        assert line["event"] == event, f"the server ended before '{event}': {self.log[-10:]}"
        return line

    def page(self, path):
        """(status, text) of a page of --http, which the constructor was told to open."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}",
                                        timeout=WAIT_S) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        """The value of one metric, named with its labels as /metrics shows it; None: not there."""
        for line in self.page("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return None

    def ask(self, command, *args, status=0):
        return run_json(command, "--target", self.target, *args, status=status)

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(how)
        return self.process.wait(WAIT_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class ThreeServices:
    """profile, candidate and ranking as three processes over one data folder."""

    def __init__(self, data, ranking=()):
        self.data = data
        self.ranking_args = ranking
        self.profile = Server(data, "--role", "profile")
        self.start_candidate()
        self.start_ranking()

    def start_candidate(self, port=0):
        self.candidate = Server(self.data, "--role", "candidate", "--profile", self.profile.target,
                                "--listen", f"127.0.0.1:{port}")

    def start_ranking(self):
        self.ranking = Server(self.data, "--role", "ranking", "--profile", self.profile.target,
                              "--candidate", self.candidate.target, *self.ranking_args)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in (self.ranking, self.candidate, self.profile):
            server.stop()
