"""The command as a person starts it, on a port of its own."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from small_methods import SMALL
from small_networks import small_trained

from scan_jax.inference.bundles import exporting

ROOT = Path(__file__).parents[2]
WATCHED = Path(__file__).parent / "watched_site"


def write_bundle(folder, name):
    """A bundle of the method called `name` with random weights, as small as it gets, which --run takes."""
    exporting.export(small_trained({"name": name, **SMALL[name]}), folder, platforms=())
    return folder


class Server:
    """A running page: its address, its process, and all that it has said."""

    def __init__(self, process):
        self.process, self.lines, self.address = process, [], ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if found := re.search(r"open (http://\S+?)/? in a browser", self.said):
                self.address = found[1]
                return self
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError(f"the page did not open: {self.said}")

    @property
    def said(self):
        return "".join(self.lines)

    @property
    def peak_megabytes(self):
        """The most memory that it has had; Linux only."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1000

    def end(self):
        """As Ctrl+C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self._reader.join(10)
        self.process.stderr.close()
        return code


@contextlib.contextmanager
def serving(run, caches, *flags, **variables):
    """The page of a run or bundle while the block runs."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, (str(WATCHED), os.environ.get("PYTHONPATH")))),
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiling takes longer than running here
        "XDG_CACHE_HOME": str(caches),
        **variables,
    }
    command = [sys.executable, "-m", "scan_jax", "demo", f"--run={run}", "--port=0", *flags]
    server = Server(subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True))
    try:
        yield server.wait(120)
    finally:
        if server.process.poll() is None:
            server.end()
        server.process.stderr.close()
