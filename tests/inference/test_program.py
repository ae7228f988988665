"""The StableHLO program answers as the network does, at any size, without a module of this toolkit."""

import functools
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file
from small_networks import MASKED_ATTENTION, PLAIN, SCAN, observation, small_trained

from scan_jax.core.errors import UserError
from scan_jax.core.types import Observation, Prediction
from scan_jax.inference.bundles import exporting, program
from scan_jax.inference.trained import Trained
from scan_jax.weights import safetensors_tree

pytest.importorskip("flatbuffers")
ROOT = Path(__file__).parents[2]
LETTER = {"statistics": "product", "kernels": "raw", "scale": "sum"}
DRAWING = {**PLAIN, "attention": ("spatial",)}  # takes patches at random
SHORT_BLOCKS = {**MASKED_ATTENTION, "query_block": 64, "attention": "masked"}
LETTERS = {**PLAIN, **LETTER, "compute_dtype": "bfloat16"}
SECTIONS = {
    "channels by the letter": {**LETTERS, "attention": ("channel",)},
    "scan by the letter": {**LETTERS, "attention": ("spatial", "channel")},
    "short blocks": SHORT_BLOCKS,
}
# What the others compile to is compared by `test_the_lines_of_the_model_card...` and costs too long for each of them.
TRACED = {
    "scan": SCAN,
    "short blocks": SHORT_BLOCKS,
    **{kind: {**MASKED_ATTENTION, "attention": kind} for kind in ("none", "self", "contextual")},
    "with a target": {**MASKED_ATTENTION, "loss": {**MASKED_ATTENTION["loss"], "semantic_attention": 0.1}},
}


@pytest.fixture(scope="module", autouse=True)
def one_size():
    """The check at export compares one size here, so that less is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "CHECKED", ((2, 3, 5),))
        yield


def each(sections, *fast):
    return [
        pytest.param(section, id=name, marks=[pytest.mark.slow] * (name not in fast))
        for name, section in sections.items()
    ]


def flat(trained):
    return safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})


def traced(trained, platforms):
    """What computes in float32, and its program, which must take any size."""
    method = program.in_full_precision(trained.config["method"])
    made = program.make_program(method, flat(trained), platforms)
    exported = jax.export.deserialize(bytearray(made))
    (answer,) = exported.out_avals
    assert str(answer.shape) == f"(batch, {method.stride}*h, {method.stride}*w, 3)" and exported.platforms == platforms
    return method, functools.partial(jax.jit(exported.call), flat(trained))


def load(folder):
    """The program of a bundle, as the model card says."""
    exported = jax.export.deserialize(bytearray((folder / "fill.stablehlo").read_bytes()))
    return functools.partial(jax.jit(exported.call), load_file(folder / "model.safetensors"))


@pytest.mark.parametrize("section", each(SECTIONS, "channels by the letter"))
def test_it_answers_as_the_network_at_sizes_it_was_not_made_for(section):
    trained = small_trained(section)
    method, fill = traced(trained, ("cpu",))
    predict = jax.jit(lambda *given: method.predict(*given).image)
    image, known, labels = observation((2, 3 * method.stride, 2 * method.stride), method.num_labels)
    truth = predict(trained.variables, Observation(image * known, known, labels), jax.random.key(0))
    answer = fill(image * known, known, *([] if labels is None else [labels]))
    assert answer.shape == truth.shape and float(np.ptp(answer)) > 0.01
    np.testing.assert_allclose(answer, truth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("section", each(TRACED, "scan"))
def test_every_network_can_be_traced_for_any_size_and_platform(section):
    traced(small_trained(section), program.PLATFORMS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "small"
    exporting.export(small_trained(DRAWING), folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return load(folder)


def test_a_bundle_says_what_it_takes_and_reads_neither_holes_nor_the_rest_of_a_batch(folder, loaded):
    section = json.loads((folder / "config.json").read_text())["bundle"]
    assert (section["stride"], section["classes"], section["platforms"]) == (8, [], ["cpu", "cuda", "tpu"])
    image, known, _ = observation((2, 24, 40))
    answer = loaded(image, known)
    other = np.where(known > 0, image, np.nan).astype(np.float32)
    np.testing.assert_array_equal(loaded(other, known), answer)
    another, another_known, _ = observation((2, 24, 40), seed=1)
    for i in range(2):
        here = np.arange(2)[:, None, None, None] == i
        together = loaded(np.where(here, image, another), np.where(here, known, another_known))
        np.testing.assert_allclose(together[i], answer[i], rtol=0, atol=1e-5)


def test_every_platform_keeps_its_forms_and_nothing_calls_back(folder):
    exported = jax.export.deserialize(bytearray((folder / "fill.stablehlo").read_bytes()))
    text = exported.mlir_module()
    assert "platform_index" in text and "callback" not in text
    assert not exported.ordered_effects and not exported.unordered_effects
    called = set(re.findall(r"custom_call @([\w.]+)", text))  # operations of sizes that are not known, and assertions
    assert called and all(name.startswith("stablehlo.dynamic_") or name == "shape_assertion" for name in called)


@pytest.mark.slow
def test_a_prior_has_to_know_the_size_and_rounded_parameters_are_taken_as_they_lie(tmp_path, caplog):
    trained = small_trained({**PLAIN, "prior": "both"})
    with caplog.at_level(logging.INFO):
        exporting.export(trained, tmp_path / "net", platforms=("cpu",), half=True)
    assert "for 32x32 and any batch on cpu" in caplog.text and "checked fill.stablehlo" in caplog.text
    fill = load(tmp_path / "net")
    rounded = Trained.load(tmp_path / "net")
    for batch in (1, 3):
        image, known, _ = observation((batch, 32, 32))
        seen = Observation(jnp.asarray(image * known), jnp.asarray(known))
        expected = jax.jit(rounded.method.predict)(rounded.variables, seen, jax.random.key(program.SEED)).image
        np.testing.assert_allclose(fill(image, known), expected, atol=1e-5)
    card = (tmp_path / "net" / "README.md").read_text()
    assert "for 32x32 and any batch, on cpu" in card and "rounded to float16 after they were measured" in card


def test_platforms_that_do_not_exist_are_refused(tmp_path):
    with pytest.raises(UserError, match="not 'gpu'; for NVIDIA's GPUs it is cuda"):
        exporting.export(small_trained(PLAIN), tmp_path / "out", platforms=("cpu", "gpu"))


def test_a_difference_ends_the_export_and_no_program_for_another_platform_is_checked(tmp_path, caplog, monkeypatch):
    trained = small_trained(PLAIN)
    exporting.export(trained, tmp_path / "unchecked", platforms=("tpu",))
    assert "fill.stablehlo was not checked: this machine has no tpu" in caplog.text
    made, predict = program.make_program, trained.method.predict
    nearly = types.SimpleNamespace(stride=8, num_labels=0)
    nearly.predict = lambda *given: Prediction(predict(*given).image + 2e-5)
    monkeypatch.setattr(program, "make_program", lambda _, *given: made(nearly, *given))
    with pytest.raises(UserError, match=r"differs from the network by 2\.\de-05 at 40x24"):
        exporting.export(trained, tmp_path / "bad", platforms=("cpu",))
    assert [path.name for path in tmp_path.iterdir()] == ["unchecked"]


@pytest.mark.parametrize("section", each({"scan": PLAIN, "masked_attention": MASKED_ATTENTION}, "scan"))
def test_the_lines_of_the_model_card_fill_a_hole_with_jax_alone(section, tmp_path, caplog):
    caplog.set_level(logging.INFO, "scan_jax")
    trained = small_trained(section)
    folder, stride = tmp_path / "out", trained.method.stride
    exporting.export(trained, folder, platforms=("cpu",))
    said = rf"checked fill\.stablehlo .* at {5 * stride}x{3 * stride}: largest difference \d\.\de[-+]\d\d"
    assert re.search(said, caplog.text)
    image, known, labels = observation((1, 3 * stride, stride), 3)
    photo = np.round(255 * image[0]).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photo.png")
    Image.fromarray((255 * (known[0, ..., 0] == 0)).astype(np.uint8)).save(folder / "hole.png")
    Image.fromarray(labels[0].astype(np.uint8)).save(folder / "labels.png")
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    code = f"{blocks[1]}\nimport sys\nassert not [name for name in sys.modules if name.startswith('scan_jax')]\n"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": ""}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, check=True)
    older = "import jax\njax.__version__, jax.__version_info__ = '0.9.9', (0, 9, 9)\n"
    done = subprocess.run([sys.executable, "-c", older + code], cwd=folder, env=environment, capture_output=True)
    assert done.returncode == 1 and done.stderr.decode() == (
        f"fill.stablehlo was written by JAX {jax.__version__}, and this is JAX 0.9.9: install a newer one, or export "
        "the network anew under this one\n"
    )
    filled = np.asarray(Image.open(folder / "filled.png"))
    np.testing.assert_array_equal(filled[known[0, ..., 0] > 0], photo[known[0, ..., 0] > 0])
    seen = (photo[None] / np.float32(255) * known, known, *([labels] if trained.method.num_labels else []))
    expected = np.round(255 * np.asarray(load(folder)(*seen)))[0]
    difference = np.abs(filled - expected)[known[0, ..., 0] == 0]
    assert difference.max() <= 1 and len(difference) > 20


def test_more_is_allowed_where_rounding_alone_makes_more_and_never_a_quarter_of_a_level():
    image, known, _ = observation((1, 16, 16))
    for slope, least, most in ((1, 1e-5, 1e-5), (1e3, 1e-4, 9e-4), (1e6, 1e-3, 1e-3), (np.nan, 1e-5, 1e-5)):
        truth = np.asarray(slope * image)
        assert least <= program.allowed(lambda image, known, slope=slope: slope * image, truth, image, known) <= most


@pytest.mark.slow
def test_exports_from_two_checkouts_are_the_same_bytes_and_name_no_folder(tmp_path):
    code = (
        "import sys; from small_networks import *; from scan_jax.inference.bundles import program\n"
        "from scan_jax.weights import safetensors_tree\n"
        "trained = small_trained({**PLAIN, 'attention': ('channel',)})\n"
        "flat = safetensors_tree.flatten({'params': trained.variables.params, 'stats': trained.variables.stats})\n"
        "sys.stdout.buffer.write(program.make_program(trained.method, flat, ('cpu', 'tpu')))\n"
    )
    shutil.copytree(ROOT / "scan_jax", tmp_path / "scan_jax", ignore=shutil.ignore_patterns("open", "__pycache__"))
    made = []
    for folder, before in ((ROOT, ""), (tmp_path, "\n\n")):
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{folder}:{ROOT / 'tests'}"}
        done = subprocess.run([sys.executable, "-c", before + code], cwd=folder, env=environment, capture_output=True)
        made.append(done.stdout)
    assert made[0] == made[1] and len(made[0]) > 10_000
    assert b".py" not in made[0] and str(ROOT).encode() not in made[0]
