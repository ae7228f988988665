"""The time that a TPU's compiler expects of a step, by the cycles that it notes beside each operation.

It sees what a roofline does not: lanes that stay empty, copies, six passes of `lax.Precision.HIGHEST`. It does not see
what devices wait for each other. Only at its default level are its numbers near anything: at O0 they are several times
as large, and a program's memory traffic is another one, too.
"""

from __future__ import annotations

import dataclasses
import re
from functools import cache

TUNED = ("UNKNOWN", "O2", "O3")  # levels of jax_optimization_level; JAX's default is UNKNOWN, which is O2
_NONE = 1e15  # what is above is no estimate: 2^63-1 stands where there is none
_HEAD = re.compile(r"^(?P<entry>ENTRY )?%(?P<name>[\w.-]+) \(.*\{$")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_LOOP = re.compile(r" while\(.*condition=%([\w.-]+), body=%([\w.-]+)")
_BRANCHES = re.compile(
    r" conditional\(.*(?:branch_computations=\{(?P<many>[^}]*)\}|true_computation=(?P<two>[^,]*, \S*))"
)
_CALL = re.compile(r" call\(.*to_apply=%([\w.-]+)")
_TURNS = re.compile(r"constant\((\d+)\)")


@dataclasses.dataclass(frozen=True)
class Cycles:
    """Of one device in a step."""

    total: float
    open_loops: int  # loops of unknown length; each counts as one turn


def count(program: str) -> Cycles | None:
    """The cycles of a program's text, `compiled.as_text()`; None where no operation has any, as on CPUs.

    Loops count by their turns, where their condition compares a counter with one constant; of branches the longest.
    """
    parts: dict[str, list[str]] = {}
    entry = name = ""
    for line in program.splitlines():
        if head := _HEAD.match(line):
            name = head["name"]
            entry = name if head["entry"] else entry
            parts[name] = []
        elif name:
            parts[name].append(line)

    @cache
    def of(name: str) -> tuple[float, int]:
        lines = [_line(line) for line in parts.get(name, ())]
        return sum(cycles for cycles, _ in lines), sum(loops for _, loops in lines)

    def _line(line: str) -> tuple[float, int]:
        if loop := _LOOP.search(line):
            turns = [int(found) for text in parts.get(loop[1], ()) for found in _TURNS.findall(text)]
            cycles, loops = of(loop[2])
            return (cycles * turns[0], loops) if len(turns) == 1 else (cycles, loops + 1)
        if found := _BRANCHES.search(line):
            return max(of(branch) for branch in re.findall(r"%([\w.-]+)", found["many"] or found["two"]))
        if call := _CALL.search(line):
            return of(call[1])
        noted = _CYCLES.search(line)
        return (float(noted[1]) if noted and int(noted[1]) < _NONE else 0.0), 0

    total, loops = of(entry)
    return Cycles(total, loops) if total else None


def line(found: Cycles | None, clock: float, level: str) -> str:
    """What to print beneath a roofline, by a device's `clock` (cycles a second) and the level compiled at."""
    if level not in TUNED:
        return f"  {level}: what is trained with is another program, whose memory traffic may be more or less than this"
    if found is None or not clock:
        return "  compiler's estimate     unknown"
    loops = f"; {found.open_loops} loops of unknown length count as one turn" if found.open_loops else ""
    return (
        f"  compiler's estimate  {found.total / clock * 1e3:>10.3f} ms without collectives "
        f"({found.total:,.0f} cycles at {clock / 1e9:g} GHz{loops})"
    )
