"""LPIPS against the public implementation with its own heads, on random networks."""

import logging

import jax
import numpy as np
import public_networks
import pytest
from imported_weights import save_weights
from refusals import refused

from scan_jax.core.errors import UserError
from scan_jax.metrics import lpips
from scan_jax.metrics.api import collect_metrics
from scan_jax.metrics.lpips import TRUNKS
from scan_jax.weights import registry, safetensors_tree
from scan_jax.weights.importing import import_weights

PUBLIC = {"alex": "alex", "vgg16": "vgg", "squeeze": "squeeze"}  # our names -> theirs


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def images(height, width, count=2, seed=1):
    """8-bit images: a ramp and texture, and noise."""
    draw = np.random.default_rng(seed)
    ramp = np.broadcast_to(np.linspace(0, 200, width)[None, None, :, None], (count, height, width, 3))
    grain = draw.integers(0, 56, ramp.shape)
    return np.round(ramp + grain).astype(np.uint8)


def tensor(image):
    torch = pytest.importorskip("torch")
    return torch.tensor(image / np.float32(255)).double().permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", TRUNKS)
def test_it_is_the_public_one_and_its_least_side_is_where_that_ends(name, weights_folder):
    torch = pytest.importorskip("torch")
    model = public_networks.lpips(PUBLIC[name])
    states = public_networks.torchvision_state(model), public_networks.head_state(model)
    for importer, state in zip((TRUNKS[name].network, TRUNKS[name].head), states, strict=True):
        torch.save(state, weights_folder / "own.pth")
        import_weights(importer, str(weights_folder / "own.pth"), allow_other_weights=True)
    metrics = lpips.open_metrics()
    assert list(metrics) == [name] and metrics[name].better == "lower"
    assert "(other weights " in metrics[name].definition
    metric = metrics[name]
    height, width = metric.least_side + 8, metric.least_side + 27
    image, photograph = images(height, width), images(height, width, seed=2)[:, ::-1].copy()
    hole = np.zeros((2, height, width), bool)
    found = metric(image, photograph, hole)
    with torch.no_grad():
        expected = model(tensor(image), tensor(photograph), normalize=True)[:, 0, 0, 0].numpy()
    assert found.shape == (2,) and expected.min() > 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    among_others = metric(image[[1, 1]], photograph[[1, 0]], hole)[0]
    np.testing.assert_allclose(among_others, found[1], rtol=1e-5)  # no image sees another one of its batch
    assert metric(image, image, hole).tolist() == [0, 0]

    def shape(side):
        image, hole = jax.ShapeDtypeStruct((1, side, side, 3), np.uint8), jax.ShapeDtypeStruct((1, side, side), bool)
        return jax.eval_shape(metric.measure, metric.parameters, image, image, hole).shape

    side = metric.least_side
    assert shape(side) == (1,)
    with torch.no_grad():
        assert np.isfinite(model(tensor(images(side, side)), tensor(images(side, side))).numpy()).all()
        with pytest.raises(RuntimeError):
            model(tensor(images(side - 1, side)), tensor(images(side - 1, side)))
    refused("too small", shape, (side - 1,))


def save_head(folder, name, widths, network=None):
    tree = {f"lin{i}": np.ones(width, np.float32) for i, width in enumerate(widths)}
    safetensors_tree.save(folder / f"{name}.safetensors", tree, {"network": network or name})


def test_without_any_weights_everything_is_named(caplog):
    with pytest.raises(UserError) as error:
        lpips.open_metrics()
    message = str(error.value)
    assert "\n" not in message
    for trunk in TRUNKS.values():
        for name in (trunk.network, trunk.head):
            source = registry.importer(name)
            assert f"{registry.import_command(name)}" in message and f"sha256 {source.sha256}" in message
    with caplog.at_level(logging.WARNING), pytest.raises(UserError, match="import lpips_alex"):
        collect_metrics(["lpips"])
    assert not caplog.text


def test_what_is_imported_is_there_and_the_log_says_how_to_get_the_rest(weights_folder, caplog):
    save_weights(weights_folder / "alexnet.safetensors", "alexnet", TRUNKS["alex"].layers)
    save_head(weights_folder, "lpips_alex", (64, 192, 384, 256, 256))
    save_head(weights_folder, "lpips_vgg16", (64, 128, 256, 512, 512))
    with caplog.at_level(logging.WARNING):
        metrics = collect_metrics(["lpips"])
    assert list(metrics) == ["lpips/alex"]
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.startswith(
        "without lpips/vgg16, lpips/squeeze, whose weights are not here: `python -m scan_jax weights"
    )


def test_a_head_of_another_network_is_refused(weights_folder):
    save_head(weights_folder, "lpips_alex", (64, 128, 256, 512, 512))
    refused(r"'lin1' has shape \(128,\), not \(192,\)", lpips.open_metrics, (), error=UserError)
    save_head(weights_folder, "lpips_alex", (64, 192, 384, 256, 256), network="lpips_vgg16")
    complaint = r"not imported as 'lpips_alex' weights \(it says 'lpips_vgg16'\)"
    refused(complaint, lpips.open_metrics, (), error=UserError)


def test_distance_is_the_equation():
    draw = np.random.default_rng(0)
    first, second = ({f"l{i}": draw.uniform(size=(2, 3 + i, 4, 5)) for i in range(2)} for _ in range(2))
    first["l0"][0, 0, 0] = 0  # a pixel without any activation
    second["l0"][0, 0, 1] *= 1e-5  # and one with hardly any
    heads = {"l0": draw.uniform(size=5), "l1": draw.uniform(size=5)}
    expected = np.zeros(2)
    for name, weights in heads.items():
        a, b = (x[name] / np.maximum(np.linalg.norm(x[name], axis=-1, keepdims=True), 1e-10) for x in (first, second))
        expected += ((a - b) ** 2 * weights).sum(-1).mean((1, 2))
    single = [{key: x.astype(np.float32) for key, x in tree.items()} for tree in (first, second, heads)]
    np.testing.assert_allclose(lpips.lpips_distance(*single), expected, rtol=1e-5)


def test_unequal_images_are_refused(weights_folder):
    metric_of = lpips._measure(lambda parameters, image: {})
    one, two, hole = (np.zeros(shape, np.uint8) for shape in ((1, 64, 64, 3), (2, 64, 64, 3), (1, 64, 64)))
    refused("two equal batches", metric_of, ({}, one, two, hole > 0))
