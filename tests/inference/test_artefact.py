"""The StableHLO program answers as the network does, at any size, without a module of this toolkit."""

import logging
import os
import re
import subprocess
import sys

import jax
import numpy as np
import pytest
from PIL import Image
from small_networks import MASKED_ATTENTION, PLAIN, SCAN, observation, small_trained

from scan_jax.errors import UserError
from scan_jax.inference.bundles import exporting, program, program_check
from scan_jax.inference.bundles.artefact import Artefact
from scan_jax.methods.api import build_method
from scan_jax.types import Observation
from scan_jax.weights import safetensors_tree

pytest.importorskip("flatbuffers", reason="jax.export writes programs with it")
LETTER = {"statistics": "product", "kernels": "raw", "scale": "sum"}
DRAWING = {**PLAIN, "attention": ("spatial",)}  # takes patches at random
SECTIONS = {
    "scan by the letter": {**DRAWING, "attention": ("spatial", "channel"), **LETTER, "compute_dtype": "bfloat16"},
    "short blocks": {**MASKED_ATTENTION, "query_block": 64, "attention": "masked"},
}
# What the others compile to is compared by `test_the_lines_of_the_model_card...` and costs too long for each of them.
TRACED = {
    "scan": SCAN,
    **{kind: {**MASKED_ATTENTION, "attention": kind} for kind in ("none", "self", "contextual")},
    "with a target": {**MASKED_ATTENTION, "loss": {**MASKED_ATTENTION["loss"], "semantic_attention": 0.1}},
}


@pytest.fixture(scope="module", autouse=True)
def one_size():
    """The check at export compares one size here, so that less is compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program_check, "CHECKED", ((1, 3, 3),))
        yield


def flat(trained):
    return safetensors_tree.flatten({"params": trained.variables.params, "stats": trained.variables.stats})


def artefact_of(trained, platforms=("cpu",)):
    method = program.in_full_precision(trained.config["method"])
    made = program.make_program(method, flat(trained), platforms)
    return Artefact(made, flat(trained), stride=method.stride, num_labels=method.num_labels)


@pytest.mark.parametrize("name", SECTIONS)
def test_it_answers_as_the_network_at_sizes_it_was_not_made_for(name):
    trained = small_trained(SECTIONS[name])
    artefact = artefact_of(trained)
    method = program.in_full_precision(trained.config["method"])
    predict = jax.jit(lambda *given: method.predict(*given).image)
    image, known, labels = observation((2, 3 * method.stride, 2 * method.stride), method.num_labels)
    truth = predict(trained.variables, Observation(image * known, known, labels), jax.random.key(0))
    answer = artefact(image * known, known, labels)
    assert answer.shape == truth.shape and float(np.ptp(answer)) > 0.01
    np.testing.assert_allclose(answer, truth, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", TRACED)
def test_every_network_can_be_traced_for_any_size_and_platform(name):
    trained = small_trained(TRACED[name])
    made = program.make_program(trained.method, flat(trained), program.PLATFORMS)
    exported = jax.export.deserialize(bytearray(made))
    (answer,) = exported.out_avals
    stride = trained.method.stride
    assert str(answer.shape) == f"(batch, {stride}*h, {stride}*w, 3)" and exported.platforms == program.PLATFORMS


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A bundle with a program for all platforms."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    exporting.export(small_trained(DRAWING), folder)
    return folder


def test_a_bundle_loads_and_says_what_it_takes(scan):
    artefact = Artefact.load(scan)
    assert (artefact.stride, artefact.num_labels, artefact.platforms) == (8, 0, ("cpu", "cuda", "tpu"))


def test_what_stands_in_the_hole_makes_no_difference(scan):
    artefact, (image, known, _) = Artefact.load(scan), observation((1, 24, 40))
    other = np.where(known > 0, image, 0.7).astype(np.float32)
    np.testing.assert_array_equal(artefact(image, known), artefact(other, known))


def test_images_of_a_batch_do_not_see_each_other(scan):
    artefact, (image, known, _) = Artefact.load(scan), observation((2, 16, 24))
    together = artefact(image, known)
    for i in range(2):
        np.testing.assert_allclose(artefact(image[i : i + 1], known[i : i + 1])[0], together[i], rtol=0, atol=1e-5)


def test_every_platform_keeps_its_forms_and_nothing_calls_back(scan):
    exported = jax.export.deserialize(bytearray((scan / "fill.stablehlo").read_bytes()))
    text = exported.mlir_module()
    assert "platform_index" in text and "callback" not in text
    assert not exported.ordered_effects and not exported.unordered_effects
    called = set(re.findall(r"custom_call @([\w.]+)", text))  # operations of sizes that are not known, and assertions
    assert called and all(name.startswith("stablehlo.dynamic_") or name == "shape_assertion" for name in called)


def test_bad_input_is_refused_in_one_line(scan):
    artefact, (image, known, labels) = Artefact.load(scan), observation((1, 24, 40), 3)
    for message, given in {
        "multiples of 8, not (20, 40)": (image[:, :20], known[:, :20]),
        "image [B,H,W,3] and known [B,H,W,1] are needed": (image[0], known),
        "not (1, 24, 40, 3), (1, 24, 40)": (image, known[..., 0]),
        "takes no labels": (image, known, labels),
    }.items():
        with pytest.raises(UserError, match=re.escape(message)) as refused:
            artefact(*given)
        assert "\n" not in str(refused.value)


def test_labels_that_are_missing_or_too_small_are_refused():
    artefact = artefact_of(small_trained(MASKED_ATTENTION))
    image, known, labels = observation((1, 32, 64), 3)
    with pytest.raises(UserError, match="takes labels of 3 classes"):
        artefact(image, known)
    with pytest.raises(UserError, match=re.escape("labels must be (1, 32, 64), not (1, 32, 32)")):
        artefact(image, known, labels[:, :, :32])


def test_a_bundle_without_a_program_is_refused(tmp_path):
    exporting.export(small_trained(PLAIN), tmp_path / "out", platforms=())
    with pytest.raises(UserError, match=r"is no bundle with a fill\.stablehlo"):
        Artefact.load(tmp_path / "out")


def test_the_check_is_told_and_a_difference_ends_the_export(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "scan_jax")
    exporting.export(small_trained(DRAWING), tmp_path / "good", platforms=("cpu",))
    assert re.search(r"checked fill\.stablehlo .* at 24x24: largest difference \d\.\de[-+]\d\d", caplog.text)
    made, other = program.make_program, build_method({**DRAWING, "kernels": "raw"})
    monkeypatch.setattr(program, "make_program", lambda _, *given: made(other, *given))
    with pytest.raises(UserError, match=r"differs from the network by .* at 24x24"):
        exporting.export(small_trained(DRAWING), tmp_path / "bad", platforms=("cpu",))
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


def test_a_program_for_another_platform_alone_is_not_checked_here(tmp_path, caplog):
    exporting.export(small_trained(PLAIN), tmp_path / "out", platforms=("tpu",))
    assert "fill.stablehlo was not checked: this machine has no tpu" in caplog.text


def test_platforms_that_do_not_exist_are_refused_before_work(tmp_path):
    with pytest.raises(UserError, match="not 'gpu'; for NVIDIA's GPUs it is cuda"):
        exporting.export(small_trained(PLAIN), tmp_path / "out", platforms=("cpu", "gpu"))


@pytest.mark.parametrize("section", [PLAIN, MASKED_ATTENTION], ids=["scan", "masked_attention"])
def test_the_lines_of_the_model_card_fill_a_hole_with_jax_alone(section, tmp_path):
    trained = small_trained(section)
    folder, stride = tmp_path / "out", trained.method.stride
    exporting.export(trained, folder, platforms=("cpu",))
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
    filled = np.asarray(Image.open(folder / "filled.png"))
    np.testing.assert_array_equal(filled[known[0, ..., 0] > 0], photo[known[0, ..., 0] > 0])
    seen = (photo[None] / np.float32(255) * known, known, *([labels] if trained.method.num_labels else []))
    expected = np.round(255 * np.asarray(Artefact.load(folder)(*seen)))[0]
    difference = np.abs(filled - expected)[known[0, ..., 0] == 0]
    assert difference.max() <= 1 and len(difference) > 20
