"""Shapes and programs are traced once, and again when what they follow from has changed or what is kept is damaged."""

import jax
import numpy as np
import pytest
from small_networks import MASKED_ATTENTION, PLAIN
from toy_method import toy_batch

from scan_jax.inference import kept, trained
from scan_jax.inference.inpainter import Inpainter
from scan_jax.methods.api import build_method

PLAIN_LABELS = {**MASKED_ATTENTION, "attention": "none"}


@pytest.fixture
def cache(tmp_path):
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


@pytest.fixture
def traced(monkeypatch):
    trace, times = trained.trace, []
    monkeypatch.setattr(trained, "trace", lambda method: times.append(method) or trace(method))
    return times


def shapes(section):
    return trained.shapes_of(build_method(section), section)


def test_the_second_start_reads_what_the_first_noted_and_another_network_is_traced(cache, traced):
    first = shapes(PLAIN)
    assert shapes(PLAIN) == first == trained.trace(build_method(PLAIN)) and len(traced) == 2
    assert first["params generator"]["['dec']['rgb']['kernel']"] == (3, 3, 4, 3)
    assert first != shapes({**PLAIN, "width": 8}) and "stats generator" in shapes(PLAIN_LABELS)
    assert len(traced) == 4 and len(list(cache.iterdir())) == 3


def test_code_that_changed_is_traced_anew(cache, traced, monkeypatch, tmp_path_factory):
    shapes(PLAIN)
    other = tmp_path_factory.mktemp("code")
    (other / "models").mkdir()
    (other / "models" / "scan.py").write_text("# other")
    monkeypatch.setattr(kept.scan_jax, "__file__", str(other / "__init__.py"))
    shapes(PLAIN)
    assert len(traced) == 2


def test_a_damaged_note_is_written_anew(cache, traced):
    expected = shapes(PLAIN)
    (note,) = cache.iterdir()
    for times, content in enumerate(("", "[]", '{"params generator": 3}'), 2):
        note.write_text(content)
        assert shapes(PLAIN) == expected and len(traced) == times
        assert shapes(PLAIN) == expected and len(traced) == times


def test_a_cache_that_cannot_be_written_to_costs_time_alone(cache, traced):
    jax.config.update("jax_compilation_cache_dir", str(cache / "file" / "in"))
    (cache / "file").write_text("")
    assert shapes(PLAIN) == shapes(PLAIN) and len(traced) == 2


class Doubling:
    """A function that notes when it is traced, in a process of its own each time that it is asked for."""

    def __init__(self, place):
        self.traced, self._place = 0, place

    def __call__(self, *given):
        return kept.Program(self._double, lambda: self._place)(*given)

    def _double(self, tree, x):
        self.traced += 1
        return 2 * x + tree["one"]


ONES = {"one": np.float32(1)}


def test_a_program_is_traced_by_one_process_for_each_shape_type_and_setting(cache):
    double = Doubling(cache / "double")
    for x in (np.arange(3.0, dtype=np.float32), np.ones((2, 3), np.float32), np.ones(3, np.int32)):
        before = double.traced
        for _ in range(3):
            np.testing.assert_array_equal(double(ONES, x), 2 * x + 1)
        assert double.traced == before + 1
    with jax.default_matmul_precision("highest"):
        double(ONES, np.ones(3, np.float32))
    assert double.traced == 4


def test_a_damaged_program_is_traced_anew_and_none_is_kept_where_nothing_is(cache):
    double, x = Doubling(cache / "double"), np.ones(3, np.float32)
    double(ONES, x)
    (path,) = cache.glob("*.traced")
    whole = path.read_bytes()
    for times, content in enumerate((b"", whole[:-1], whole[:40] + b"x" + whole[41:]), 2):
        path.write_bytes(content)
        for _ in range(2):
            np.testing.assert_array_equal(double(ONES, x), 2 * x + 1)
        assert double.traced == times
    for bare in (Doubling(None), Doubling(path / "in" / "a file")):
        assert np.array_equal(bare(ONES, x), bare(ONES, x)) and bare.traced == 2


def test_a_run_is_filled_from_without_tracing_again(cache, monkeypatch, tmp_path):
    image, hole = np.full((32, 32, 3), 90, np.uint8), np.zeros((32, 32), bool)
    hole[8:20, 8:20] = True
    method = build_method(PLAIN)
    predict, times = type(method).predict, []
    monkeypatch.setattr(type(method), "predict", lambda *given: times.append(given) or predict(*given))
    variables = method.init(jax.random.key(0), toy_batch(0))
    place = kept.place_of(type(method), PLAIN)
    first, second = (Inpainter(method, variables, size=32, place=place)(image, hole) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert len(times) == 1


@pytest.mark.parametrize("package", ["jax", "flax"])
def test_another_version_begins_another_file(cache, monkeypatch, package):
    before, version = kept.place_of(int, {}), kept.metadata.version
    monkeypatch.setattr(kept.metadata, "version", lambda name: "0" if name == package else version(name))
    assert kept.place_of(int, {}) != before == cache / before.name
