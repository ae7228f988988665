"""The results of a check: lines of JSON, appended as they come, and a table for people, written anew with each."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scan_jax.core.atomic_write import write_atomically
from scan_jax.core.errors import UserError
from scan_jax.device_check.plan import PARTS, WRONG, Part

LINES, TABLE, LOGS = "results.jsonl", "table.md", "logs"
DONE = "done"  # how a part ended that need not be taken again; others begin with why not
RUNNING = "was running when this was written"


class Results:
    """What is known in a folder, from earlier calls, too.

    Attributes:
      head: of the newest call: device, driver, versions, as pairs.
      rows: by part, then by name; a row that was measured again stands as it was measured last.
      ended: by part, how.
    """

    def __init__(self, folder: Path, parts: Sequence[Part] = PARTS) -> None:
        """Reads what earlier calls left, but for a line that a kill cut short; `parts` are in the table's order."""
        self.folder, self._lines, self._parts = folder, folder / LINES, parts
        self.head: dict[str, str] = {}
        self.rows: dict[str, dict[str, dict[str, Any]]] = {}
        self.ended: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()  # parts may write at the same time
        try:
            before = self._lines.read_bytes() if self._lines.exists() else b""
        except OSError as error:
            raise UserError(f"cannot read {self._lines}: {error.strerror or error}") from error
        for line in before.splitlines():
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue
        self._broken = bool(before) and not before.endswith(b"\n")

    def begin(self, head: Mapping[str, str]) -> None:
        """Notes on what this call runs; a UserError where the folder has the results of another device."""
        before = self.head.get("device", head["device"])
        if before != head["device"]:
            raise UserError(
                f"{self.folder} has results of {before}, and this is {head['device']}: choose another --out"
            )
        self._note({"head": dict(head), "time": time.strftime("%Y-%m-%d %H:%M:%S")})

    def is_done(self, part: Part) -> bool:
        """Whether an earlier call took it to its end."""
        return self.ended.get(part.name) == DONE

    def row(self, part: Part, found: Mapping[str, Any]) -> None:
        """Adds one."""
        self._note({"part": part.name, **found})

    def end(self, part: Part, how: str, seconds: float = 0.0) -> None:
        """Notes how a part ended."""
        self._note({"part": part.name, "ended": how, "seconds": round(seconds, 1)})

    def wrong(self) -> list[str]:
        """Rows beyond their limits, and parts that failed."""
        rows = [f"{part}: {what}" for part, rows in self.rows.items() for what, row in rows.items() if _is_wrong(row)]
        return rows + [f"{part} {how}" for part, how in self.ended.items() if how.startswith("failed")]

    def _take(self, line: Mapping[str, Any]) -> None:
        if "head" in line:
            self.head = {**line["head"], "time": line["time"]}
        elif "ended" in line:
            self.ended[line["part"]], self._seconds[line["part"]] = line["ended"], line["seconds"]
        else:
            self.rows.setdefault(line["part"], {})[line["what"]] = dict(line)

    def _note(self, line: Mapping[str, Any]) -> None:
        """One write to the end of the file, on the disk when this returns; then the table."""
        with self._lock:
            self._append(line)
            self._take(line)
            write_atomically(self.folder / TABLE, self.table().encode())

    def _append(self, line: Mapping[str, Any]) -> None:
        text = b"\n" * self._broken + json.dumps(line).encode() + b"\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file = os.open(self._lines, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(file, text)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise UserError(f"cannot write {self._lines}: {error.strerror or error}; choose another --out") from error
        self._broken = False

    def table(self) -> str:
        """In Markdown."""
        lines = [f"# Device check: {self.head.get('device', 'unknown')}", "", "| | |", "|---|---|"]
        lines += [f"| {_cell(name)} | {_cell(value)} |" for name, value in self.head.items()]
        for part in self._parts:
            rows, how = self.rows.get(part.name, {}), self.ended.get(part.name, RUNNING)
            if part.name not in self.ended and not rows:
                continue
            lines += ["", f"## {part.name}: {part.about}", "", f"{how}, {self._seconds.get(part.name, 0.0):.0f} s"]
            if rows:
                lines += ["", "| what | found | limit | |", "|---|---|---|---|"]
            lines += [
                "| " + " | ".join(_cell(row[key]) for key in ("what", "found", "limit", "verdict")) + " |"
                for row in rows.values()
            ]
        return "\n".join(lines) + "\n"


def _is_wrong(row: Mapping[str, Any]) -> bool:
    return bool(row["verdict"] == WRONG)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").split())
