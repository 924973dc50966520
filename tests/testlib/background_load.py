"""Load that goes on while a test does something to the cell, however long that takes."""

import collections
import json
import pathlib
import subprocess
import threading

from vitrine import VITRINE, WAIT_S

SLICE_S = 2


class BackgroundLoad:
    """vitrine-load in slices of two seconds until the with-block ends: then `sent`, `ok`,
    `degraded` and `errors` are the sums. At least one slice has begun when the block does, and one
    whole slice comes after its end, so that the state that was left is measured too."""

    def __init__(self, target, *args, scenario="recommend", rate=100, timeout="1s"):
        self.command = [str(pathlib.Path(VITRINE).with_name("vitrine-load")), scenario,
                        "--target", target, "--rate", str(rate), "--timeout", timeout,
                        "--duration", f"{SLICE_S}s", "--warmup", "0ms", "--json",
                        *map(str, args)]
        self.sent = self.ok = self.degraded = self.slices = 0
        self.errors = collections.Counter()
        self.trouble = None
        self._began, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        last = False
        while not last and self.trouble is None:
            last = self._ending.is_set()
            process = subprocess.Popen(self.command, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            self._began.set()
            said, errors = process.communicate()
            if said:  # also when nothing was answered, which is its exit status 1: that is counted
                self._add(json.loads(said))
            else:
                self.trouble = errors

    def _add(self, report):
        self.slices += 1
        self.sent += report["sent"]
        self.ok += report["ok"]
        self.degraded += report["degraded"]
        self.errors.update(report["errors"])

    @property
    def failed(self):
        return sum(self.errors.values())

    def __enter__(self):
        self._thread.start()
        assert self._began.wait(WAIT_S)
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()
        assert self.trouble is None, self.trouble

    def __str__(self):
        return (f"{self.sent} sent, {self.ok} ok, {self.degraded} degraded, "
                f"errors {dict(self.errors)}")
