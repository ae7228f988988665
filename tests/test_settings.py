"""Config sections and the modules that they name: what is unknown or of a wrong type is one line with the cure."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from scan_jax.core import config as configuration
from scan_jax.core import registry
from scan_jax.core.config import bind
from scan_jax.core.errors import UserError
from scan_jax.data import api as data_api
from scan_jax.data.api import open_data
from scan_jax.masks import api as masks_api
from scan_jax.methods import api as methods_api
from scan_jax.metrics import api as metrics_api

DEMO = str(Path(__file__).parents[1] / "configs" / "demo.py")


@dataclasses.dataclass(frozen=True)
class Inner:
    rate: float = 0.5


@dataclasses.dataclass(frozen=True)
class Outer:
    size: int
    inner: Inner = Inner()
    edges: tuple[float, ...] = (0.1,)
    pair: tuple[int, int] = (1, 2)
    title: str | None = None
    by_name: Mapping[str, Inner] = dataclasses.field(default_factory=dict)


def test_sections_bind_all_the_way_down():
    section = {"name": "x", "size": 3, "inner": {"rate": 1}, "edges": [0, 0.5], "by_name": {"a": {"rate": 2}}}
    expected = Outer(3, Inner(1.0), (0.0, 0.5), (1, 2), None, {"a": Inner(2.0)})
    assert bind(ConfigDict(section), Outer, "config.x") == expected


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"size": 3, "iner": {}}, r"^unknown config key config\.x\.iner, did you mean 'inner'\?$"),
        ({"size": 3, "inner": {"rte": 1}}, r"unknown config key config\.x\.inner\.rte, did you mean 'rate'"),
        ({}, r"config\.x\.size is missing"),
        ({"size": 2.5}, r"config\.x\.size must be int, not 2\.5 \(float\)"),
        ({"size": True}, r"config\.x\.size must be int, not True"),
        ({"size": "3"}, r"config\.x\.size must be int, not '3'"),
        ({"size": 3, "inner": 4}, r"config\.x\.inner must be a section"),
        ({"size": 3, "pair": (1, 2, 3)}, r"config\.x\.pair must have 2 items, not 3"),
        ({"size": 3, "edges": (0.1, "b")}, r"config\.x\.edges\[1\] must be float"),
        ({"size": 3, "by_name": {"a": {"rate": "b"}}}, r"config\.x\.by_name\.a\.rate must be float"),
        ({"size": 3, "inner": {"rate": float("nan")}}, r"config\.x\.inner\.rate must be at least 0 and .*, not nan"),
    ],
)
def test_what_does_not_fit_is_named(section, message):
    with pytest.raises(UserError, match=message):
        bind(section, Outer, "config.x")


def test_overrides_may_set_any_key():
    overrides = ["--config.training.steps=7", "--config.method.attention=('spatial',)", "--config.data.path=a=b"]
    config = configuration.load(DEMO, overrides)
    assert config.training.steps == 7
    assert config.method["attention"] == ("spatial",)
    assert config.data["path"] == "a=b"
    assert type(config.method["loss"]) is dict


@pytest.mark.parametrize(
    ("path", "overrides", "message"),
    [
        ("configs/dem.py", [], r"no config file 'configs/dem\.py'"),
        (DEMO, ["--steps=3"], r"cannot read the argument '--steps=3'; overrides look like"),
        (DEMO, ["--config.trainnig.steps=3"], r"unknown config key config\.trainnig, did you mean 'training'"),
        (DEMO, ["--config.training=3"], r"config\.training is a section"),
        (DEMO, ["--config.seed.x=3"], r"'seed' is a value, not a section"),
    ],
)
def test_bad_arguments_are_named(path, overrides, message):
    with pytest.raises(UserError, match=message):
        configuration.load(path, overrides)


@pytest.fixture
def referring(tmp_path):
    """A config of references: a warm-up of a share of the steps, twice that, and a value to give."""
    path = tmp_path / "referring.py"
    path.write_text(
        "from ml_collections import config_dict\n"
        "from scan_jax.configs import demo\n"
        "def get_config():\n"
        "    config = demo.get_config()\n"
        "    training = config.training\n"
        "    with config.unlocked():\n"
        "        training.optimizers.generator.warmup = training.get_ref('steps') // 14\n"
        "        training.optimizers.critic.warmup = training.optimizers.generator.get_oneway_ref('warmup') * 2\n"
        "        config.data.count = config_dict.required_placeholder(int)\n"
        "    return config\n"
    )
    return str(path)


def test_an_override_reaches_what_refers_to_it(referring):
    def warmups(*overrides):
        config = configuration.load(referring, ["--config.data.count=40", *overrides])
        return [config.training.optimizers[name].warmup for name in ("generator", "critic")]

    steps = configuration.load(DEMO).training.steps
    assert warmups() == [steps // 14, steps // 14 * 2]
    assert warmups("--config.training.steps=7000") == [500, 1000]
    own = "--config.training.optimizers.generator.warmup=3"
    assert warmups(own, "--config.training.steps=7000") == [3, 6], "its own override goes before"
    assert warmups("--config.training.optimizers.critic.warmup=5") == [steps // 14, 5], "and goes no way back"


def test_a_reference_without_a_value_is_one_line(referring):
    with pytest.raises(UserError, match=r"^config\.data\.count has no value \(.*\); give one: --config\.data\.count="):
        configuration.load(referring)
    assert configuration.load(referring, ["--config.data.count=40"]).data["count"] == 40
    computed = r"^config\.training\.optimizers\.\w+\.warmup has no value \(unsupported operand .*\); give one"
    with pytest.raises(UserError, match=computed):
        configuration.load(referring, ["--config.data.count=40", "--config.training.steps=many"])


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        *(
            ("1e3", r"int, not 1000\.0 \(float\)"),
            ("1.5", "int, not 1.5"),
            ("None", "int, not None"),
            ("a", "int, not 'a'"),
        ),
        *(("True", "int, not True"), ("-1", r"from 0 to 4294967295, not -1"), ("2**40", r"int, not '2\*\*40'")),
        (str(2**32), r"from 0 to 4294967295, not 4294967296"),
    ],
)
def test_a_seed_that_is_none_is_refused_as_it_is_read(seed, message):
    with pytest.raises(UserError, match=f"^config\\.seed must be {message}"):
        configuration.load(DEMO, [f"--config.seed={seed}"])
    assert configuration.load(DEMO, ["--config.seed=4294967295"]).seed == 2**32 - 1


def test_sections_of_a_config_are_bound_once():
    config = configuration.load(DEMO, ["--config.training.optimizers.generator.clip=2", "--config.seed=3"])
    assert (config.seed, config.size, config.training.optimizers["generator"].clip) == (3, 64, 2.0)
    assert config.augmentation.flip == 0.5 and "augmentation" not in config.plain, "the default"
    assert configuration.Config.of(config.plain) == config
    for change, message in (
        ({"seed": "3"}, r"config\.seed must be int"),
        ({"evaluation": {"edges": (0.1,)}}, r"config\.evaluation\.edges must be at least 2 numbers that rise"),
        ({"metod": {}}, r"unknown config key config\.metod, did you mean 'method'"),
    ):
        with pytest.raises(UserError, match=message):
            configuration.Config.of({**config.plain, **change})
    without = {key: value for key, value in config.plain.items() if key != "holes"}
    with pytest.raises(UserError, match=r"^mine\.py does not set config\.holes; see configs/demo\.py"):
        configuration.Config.of(without, "mine.py")
    with pytest.raises(UserError, match=r"config\.data\.size is missing"):
        configuration.Config.of({**config.plain, "data": {"name": "prepared"}}).size  # noqa: B018


def test_a_config_file_must_be_one(tmp_path):
    for text, message in (("x = 1", "has no get_config"), ("def get_config(:", "line 1")):
        path = tmp_path / "c.py"
        path.write_text(text)
        with pytest.raises(UserError, match=message):
            configuration.load(str(path))


def test_a_config_takes_arguments_after_a_colon(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(
        "from ml_collections import ConfigDict\n"
        "def get_config(kind='plain'):\n"
        "    names = ('data', 'holes', 'evaluation')\n"
        "    training = {'steps': 1, 'batch_size': 1, 'optimizers': {}}\n"
        "    rest = {'seed': 0, 'training': training, **{name: {} for name in names}}\n"
        "    return ConfigDict({'method': {'kind': kind}, **rest})\n"
    )
    assert configuration.load(str(path)).method == {"kind": "plain"}
    assert configuration.load(f"{path}:kind=fancy").method == {"kind": "fancy"}
    assert configuration.run_name(f"{path}:kind=fancy") == "small,kind=fancy"
    assert configuration.run_name(str(path)) == "small"
    for wrong in ("knid=x", "kind", "kind=x,width=3"):
        with pytest.raises(UserError, match=r"takes no argument .*after the colon it takes: kind=\.\.\."):
            configuration.load(f"{path}:{wrong}")


DATA = [
    *("celeba_hq", "celebamask_hq", "labelled_folder", "paris_street_view", "photo_folder", "prepared"),
    "synthetic_portraits",
]
METHODS = [
    *("edge_connect", "gated_conv", "lama", "masked_attention", "migan", "partial_conv", "region_norm", "rfr", "scan"),
]
METRICS = [
    *("checks", "edge_connect", "hole_only", "inception", "lama", "lpips", "masked_attention", "reflected"),
    *("region_norm", "squeezenet", "standard"),
]
HOLES = [
    *("border", "free_form", "half", "irregular_masks", "lama_medium", "lama_thick", "lama_thin", "lama_training"),
    *("mask_folder", "mixture", "rectangles", "strokes"),
]


def test_every_choice_is_found():
    for table, opener, names in (
        (data_api.SOURCES, "open_splits", DATA),
        (masks_api.SOURCES, "open_splits", HOLES),
        (methods_api.METHODS, "build", METHODS),
        (metrics_api.GROUPS, "open_metrics", METRICS),
    ):
        assert list(table) == names
        assert all(hasattr(registry.find(table, name, "x"), opener) for name in names)


@pytest.mark.parametrize("name", ["photo_foldr", "api", "", "../x", None, 3, ["photo_folder"]])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(UserError, match=r"^config\.data\.name has no .*\(choose one of celeba_hq, celebamask_hq, l"):
        registry.find(data_api.SOURCES, name, "config.data.name")


def test_keys_of_another_source_are_passed_over_and_unknown_ones_are_not():
    section = {"name": "synthetic_portraits", "size": 32, "count": 2, "held_out": 1, "path": "PHOTOS"}
    assert len(open_data(section).train) == 2
    with pytest.raises(UserError, match=r"unknown config key config\.data\.cuont, did you mean 'count'"):
        open_data({**section, "cuont": 3})
