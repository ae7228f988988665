"""Settings as flags of a command; what makes two datasets the same, and what is refused before a pixel is decoded."""

import dataclasses
from typing import Literal

import miniatures
import pytest

from scan_jax.commands import cli
from scan_jax.core.errors import UserError
from scan_jax.data.preparation.plan import Item, Plan, SquareSettings, add_flags, check_name, flag, read_flags
from scan_jax.data.split_list import SplitList


def item(name, identity="1"):
    return Item(name, identity, dict)


TEXTS = {"dataset": "toys", "config": "64", "description": "", "homepage": "", "split": SplitList("own", {})}
PLAN = Plan(arrays={"image": (64, 64, 3)}, splits={"train": [item("a"), item("b")], "test": [item("c")]}, **TEXTS)
OTHERS = {
    "config": "65",
    "arrays": {"image": (65, 65, 3)},
    "rules": "crop=stretch",
    "label_names": ("a",),
    "flip_pairs": ((1, 2),),
    "splits": {"train": [item("b"), item("a")], "test": [item("c")]},
}


@pytest.mark.parametrize("field", OTHERS)
def test_another_dataset_and_the_same_of_other_files(field):
    other = dataclasses.replace(PLAN, **{field: OTHERS[field]})
    assert other.membership() != PLAN.membership() and other.identity() != PLAN.identity()
    other = dataclasses.replace(PLAN, splits={"train": [item("a", "2"), item("b")], "test": [item("c")]})
    assert other.membership() == PLAN.membership() and other.identity() != PLAN.identity()


MANY = tuple(str(number) for number in range(0, 60, 3))


@pytest.mark.parametrize(
    ("match", "fields"),
    [
        (r"toys: 2 of 5 photographs are missing: d, e; .*=2", {"missing": ("d", "e"), "allow_missing": 1}),
        (r"--allow_missing=20", {"missing": MANY}),
        (r"missing: 0, 3, 6, 9, 12, 15, 18, 21 and 12 more;", {"missing": MANY}),
        (r"no photographs for test", {"splits": {"train": [item("a")], "test": []}}),
        (r"no photographs for any split", {"splits": {}}),
        (r"--allow_missing must not be negative", {"allow_missing": -1}),
    ],
)
def test_who_may_not_be_missing(match, fields):
    with miniatures.refuses(match):
        dataclasses.replace(PLAN, **fields).check()
    dataclasses.replace(PLAN, missing=("d", "e"), allow_missing=2).check()


@pytest.mark.parametrize("size", [63, 1025, 0, -1])
def test_sizes(size):
    with pytest.raises(UserError, match=f"from 64 to 1024 pixels, not {size}"):
        SquareSettings(size=size)
    SquareSettings(size=64)
    SquareSettings(size=1024)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", ".x", "a\0"])
def test_names(name):
    with pytest.raises(UserError, match="--name must be a folder's name"):
        check_name(name)
    assert check_name("faces (2).v3") == "faces (2).v3"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    source: str = flag("where, 100% of it")
    size: int = flag("pixels", 256)
    crop: Literal["centre", "stretch"] = flag("how", "centre")
    pairs: tuple[tuple[int, int], ...] = flag("which", ())


def read(*argv):
    parser = cli.parser("prepare", None)
    add_flags(parser, Settings)
    return read_flags(parser.parse_args(argv), Settings)


def test_defaults_and_types_and_a_help_that_tells_them(capsys):
    assert read("--source=x") == Settings(source="x")
    wanted = Settings(source="x", size=64, crop="stretch", pairs=((4, 5), (6, 17)))
    assert read("--source", "x", "--size=64", "--crop=stretch", "--pairs=4-5,6-17") == wanted
    assert read("--source=x", "--pairs=").pairs == ()
    with pytest.raises(SystemExit):
        read("--help")
    text = capsys.readouterr().out
    assert "pixels (256)" in text and "100% of it" in text and "how (centre)" in text
