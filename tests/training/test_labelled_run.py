"""Labels on their way from the photographs through a run: into the step, the table and the pictures."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from run_comparison import scalars
from toy_runs import settings, toy_config, toy_sections

from scan_jax.commands import experiment, inputs
from scan_jax.core.errors import UserError
from scan_jax.core.types import Prediction
from scan_jax.images.palette import palette
from scan_jax.methods.api import Aux, Refined
from scan_jax.training.trainer import Trainer


@pytest.fixture
def labelled_method(toy_method):
    """The toy, with a term and a prediction that read labels."""
    toy_method.num_labels = 19
    loss = toy_method.updates[0].loss

    def generator_loss(params, frozen, stats, example, carried, rng):
        value, aux = loss(params, frozen, stats, example, carried, rng)
        return value, Aux({**aux.terms, "highest_label": example.labels.max().astype(float)}, aux.stats, aux.carried)

    def predict(variables, observation, rng):
        grey = observation.labels[..., None].astype(jnp.float32) / 18  # [B,H,W,1]
        return Prediction(jnp.broadcast_to(grey, observation.image.shape))

    toy_method.updates = (
        type(toy_method.updates[0])("generator", ("generator",), generator_loss),
        toy_method.updates[1],
    )
    toy_method.predict = predict
    return toy_method


@pytest.fixture
def run(monkeypatch):
    def run_method(method, folder, **changes):
        monkeypatch.setattr(inputs.api, "build_method", lambda section: method)
        experiment.run(toy_config(**changes), folder)
        return scalars(folder)

    return run_method


def test_labels_reach_the_step_the_table_and_the_pictures(labelled_method, run, tmp_path):
    lines = run(labelled_method, tmp_path)
    assert 1 <= lines[0]["term/highest_label"] <= 18
    table = next(tmp_path.glob("step_*.md")).read_text()
    assert "class mean" in table and "Navier-Stokes" in table
    with Image.open(next((tmp_path / "pictures").glob("*.png"))) as sheet:
        colours = {tuple(colour) for colour in np.asarray(sheet.convert("RGB")).reshape(-1, 3).tolist()}
    assert sum(tuple(colour) in colours for colour in palette(19)[1:].tolist()) >= 3  # the label column
    assert len(colours & {(round(255 * k / 18),) * 3 for k in range(19)}) >= 4  # the completion column


def test_disagreement_is_an_error_before_anything_is_compiled(labelled_method, run, monkeypatch, tmp_path):
    monkeypatch.setattr(inputs, "Trainer", lambda *_: pytest.fail("too late"))
    labelled_method.num_labels = 12
    with pytest.raises(UserError, match=r"config\.method\.num_labels is 12, but synthetic portraits .* has 19 classes"):
        run(labelled_method, tmp_path)
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / "b.png")
    photographs = {"name": "photo_folder", "path": str(tmp_path), "size": 16}
    with pytest.raises(UserError, match=r"needs labels of 12 classes, but .* has none"):
        run(labelled_method, tmp_path / "run", data=photographs)


def test_shapes_are_drawn_with_labels_where_the_method_takes_them(labelled_method):
    seen = []
    init = labelled_method.init
    labelled_method.init = lambda rng, example: seen.append(example) or init(rng, example)
    Trainer(labelled_method, settings(), 16, 0)
    assert (seen[0].labels.shape, seen[0].labels.dtype) == ((8, 16, 16), np.int32)
    labelled_method.num_labels = 0
    Trainer(labelled_method, settings(), 16, 0)
    assert seen[-1].labels is None


def test_a_refiner_is_measured_when_the_run_is_complete(labelled_method, run, tmp_path):
    def whiten(variables, frozen, observation, rng, *, steps=None, progress=None):
        before = labelled_method.predict(variables, observation, rng)
        return Refined(Prediction(jnp.ones_like(before.image) * frozen["white"]), jnp.zeros((1, 1)))

    labelled_method.refiners = {"whiten": whiten}
    labelled_method.load_frozen = lambda: {"white": jnp.float32(1)}
    evaluation = {**toy_sections()["evaluation"], "refine": ("whiten",)}
    lines = run(labelled_method, tmp_path, evaluation=evaluation, training={"steps": 2, "evaluate_every": 1})
    first, last = (line for line in lines if "eval/psnr/10-60%" in line)
    assert "eval/whiten/psnr/10-60%" not in first
    assert last["eval/whiten/psnr/10-60%"] != last["eval/psnr/10-60%"]
    assert "with whiten" in (tmp_path / "step_00000002.md").read_text()
    told = r"no optimisation at test time 'whitn', did you mean 'whiten'\?; there are: whiten"
    with pytest.raises(UserError, match=told):
        run(labelled_method, tmp_path, evaluation={**evaluation, "refine": ("whitn",)})
