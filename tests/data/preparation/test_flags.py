"""Settings as flags of a command."""

import argparse
import dataclasses
from typing import Literal

import pytest

from scan_jax.data.preparation.flags import add_flags, flag, read_flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    source: str = flag("where, 100% of it")
    size: int = flag("pixels", 256)
    crop: Literal["centre", "stretch"] = flag("how", "centre")
    pairs: tuple[tuple[int, int], ...] = flag("which", ())


def read(*argv):
    parser = argparse.ArgumentParser()
    add_flags(parser, Settings)
    return read_flags(parser.parse_args(argv), Settings)


def test_defaults_and_types():
    assert read("--source=x") == Settings(source="x")
    wanted = Settings(source="x", size=64, crop="stretch", pairs=((4, 5), (6, 17)))
    assert read("--source", "x", "--size=64", "--crop=stretch", "--pairs=4-5,6-17") == wanted
    assert read("--source=x", "--pairs=").pairs == ()


def test_help_tells_defaults(capsys):
    with pytest.raises(SystemExit):
        read("--help")
    text = capsys.readouterr().out
    assert "pixels (256)" in text and "100% of it" in text and "how (centre)" in text
