"""The compiler's own cycles, read from lines as libtpu writes them, against sums worked out by hand."""

import pytest

from launch import tpu_cycles
from launch.tpu_cycles import Cycles

NOTE = 'backend_config={"window_config":{"output_window_bounds":["16","1"],"estimated_cycles":"%s"}}'
BODY = f"""
%inside.1 (p: f32[8,128]) -> f32[8,128] {{
  ROOT %copy.9 = f32[8,128]{{1,0}} copy(%p), {NOTE % 50000}
}}

%body.1 (arg: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {{
  %fusion.1 = f32[8,128]{{1,0}} fusion(%x), kind=kOutput, calls=%inside.1, {NOTE % 100}
  %copy.1 = f32[8,128]{{1,0}} copy(%fusion.1), {NOTE % 20}
}}

%condition.1 (arg: (s32[], f32[8,128])) -> pred[] {{
  %constant.1 = s32[]{{:T(128)}} constant(10)
  ROOT %lt = pred[] compare(%i, %constant.1), direction=LT
}}

%condition.2 (arg: (s32[], f32[8,128])) -> pred[] {{
  ROOT %lt.2 = pred[] compare(%i, %n), direction=LT
}}

%short.1 (arg: (f32[8,128])) -> (f32[8,128]) {{
  %copy.5 = f32[8,128]{{1,0}} copy(%x), {NOTE % 3}
}}

%outer.1 (arg: (s32[], f32[8,128])) -> (s32[], f32[8,128]) {{
  %while.7 = (s32[], f32[8,128]) while(%arg), condition=%condition.1, body=%body.1, metadata={{op_name="jit(f)/while"}}
}}

ENTRY %main.8 (x: f32[8,128]) -> f32[8,128] {{
  %copy.6 = f32[8,128]{{1,0}} copy(%x), {NOTE % 7}
  %none = f32[8,128]{{1,0}} copy(%x), {NOTE % 9223372036854775807}
"""
ENTRIES = {
    "nothing besides": ("", 7, 0),
    "a loop of ten": ("  %w = (s32[]) while(%t), condition=%condition.1, body=%body.1, metadata={}", 7 + 10 * 120, 0),
    "an open loop": ("  %w = (s32[]) while(%t), condition=%condition.2, body=%body.1", 7 + 120, 1),
    "loops in a loop": ("  %w = (s32[]) while(%t), condition=%condition.1, body=%outer.1", 7 + 10 * 10 * 120, 0),
    "branches": ("  %c = (f32[8]) conditional(%i, %a, %b), branch_computations={%short.1, %body.1}", 7 + 120, 0),
    "two branches": (
        "  %c = (f32[8]) conditional(%i, %a, %b), true_computation=%body.1, false_computation=%short.1, metadata={}",
        7 + 120,
        0,
    ),
    "a call": ("  %c = f32[8] call(%x), to_apply=%short.1", 7 + 3, 0),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_cycles_of_a_program(name):
    line, total, open_loops = ENTRIES[name]
    assert tpu_cycles.count(BODY + line + "\n}\n") == Cycles(total, open_loops)


def test_programs_without_cycles():
    assert tpu_cycles.count("") is None
    assert tpu_cycles.count("ENTRY %main (x: f32[]) -> f32[] {\n  ROOT %a = f32[] add(%x, %x)\n}\n") is None


def test_what_is_printed_of_them():
    said = tpu_cycles.line(Cycles(3_000_000.0, 2), 1.5e9, "UNKNOWN")
    assert " 2.000 ms without collectives (3,000,000 cycles at 1.5 GHz; 2 loops of unknown length" in said
    assert "ms" not in tpu_cycles.line(Cycles(3_000_000.0, 0), 1.5e9, "O0"), "several times too many"
    assert "unknown" in tpu_cycles.line(None, 1.5e9, "UNKNOWN")
    assert "unknown" in tpu_cycles.line(Cycles(1.0, 0), 0.0, "UNKNOWN")
