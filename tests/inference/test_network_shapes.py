"""Shapes are traced once, and again whenever what they follow from has changed or what was noted is damaged."""

import jax
import pytest
from small_networks import MASKED_ATTENTION, PLAIN

from scan_jax.inference import trained
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
    monkeypatch.setattr(trained.scan_jax, "__file__", str(other / "__init__.py"))
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
