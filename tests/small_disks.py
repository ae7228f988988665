"""Small disks of their own, to be filled and made read-only by tests that may mount; others are skipped."""

import contextlib
import os
import subprocess


class SmallDisk:
    def __init__(self, folder):
        self.folder = folder

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True)

    def fill(self, leave=0):
        """Takes all room but `leave` bytes; returns the files to remove."""
        path = self.folder / "filler"
        with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        os.truncate(path, max(path.stat().st_size - leave, 0))
        return [path]

    def fill_with_files(self, leave=0):
        """Empty ones, until only `leave` more can be made; returns those to remove."""
        made = []
        with contextlib.suppress(OSError):
            while True:
                path = self.folder / f"filler{len(made)}"
                path.touch()
                made.append(path)
        for path in made[len(made) - leave :]:
            path.unlink()
        return made[: len(made) - leave]


@contextlib.contextmanager
def small_disk(folder, options, skip):
    """Mounted at `folder`; `skip(reason)` where that is refused."""
    folder.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        skip("there is no mount command")
    if result.returncode:
        skip(f"mounting is refused: {result.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
