"""Which metrics of whole sets there are, by which weights, and what their networks see."""

import logging
import os
import pathlib
import re

import jax
import numpy as np
import pytest
from imported_weights import save_weights

from scan_jax.core.errors import UserError
from scan_jax.features.squeezenet import SqueezeNet
from scan_jax.metrics.api import SetMetric, collect_metrics
from scan_jax.metrics.sets import (
    frechet_distance,
    kernel_distance,
    open_metrics,
    paired_kernel_distance,
    paired_score,
    unpaired_score,
)
from scan_jax.weights import registry
from scan_jax.weights.importing import import_weights

SHARED = pathlib.Path(__file__).parents[3] / "shared" / "data"
PUBLISHED = SHARED / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
H5 = pathlib.Path(os.environ.get("SCAN_JAX_SQUEEZENET_H5", PUBLISHED))


@pytest.fixture(autouse=True)
def weights_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def stand_in(weights_folder):
    save_weights(weights_folder / "squeezenet.safetensors", "squeezenet", ("fire9",))
    return open_metrics("squeezenet")


@pytest.mark.parametrize(
    "group,source", [("inception", "inception_v3 6726825d"), ("squeezenet", "squeezenet 2d935d8c")]
)
def test_missing_weights_name_the_command(group, source, caplog):
    name, digest = source.split()
    with pytest.raises(UserError, match=f"sha256 {digest}.*weights import {name} /path/to/"):
        open_metrics(group)
    with pytest.raises(UserError, match=f"weights import {name}"):  # by name, or as one of all
        collect_metrics(["standard", group])
    with caplog.at_level(logging.WARNING):
        assert not any(metric.startswith(group) for metric in collect_metrics())
    (line,) = (record.getMessage() for record in caplog.records)
    assert re.fullmatch(r"without [a-z, ]+, whose weights are not here: `python -m scan_jax weights list` says.*", line)
    assert group in line


@pytest.fixture
def pair():
    """Photographs and filled images in another order, where every distance says something else."""
    draw = np.random.default_rng(5)
    photographs = draw.normal(size=(80, 6))
    filled = photographs + 0.3 * draw.normal(size=photographs.shape) + 0.1
    return photographs, filled


def test_inceptions_metrics_share_one_embedding_and_every_name_is_its_own_distance(weights_folder, pair):
    pytest.importorskip("sklearn")
    save_weights(weights_folder / "inception_v3.safetensors", "inception_v3", ("pool3",))
    metrics = collect_metrics(["inception"])
    distances = {"fid": frechet_distance, "kid": kernel_distance, "u_ids": unpaired_score, "p_ids": paired_score}
    assert set(metrics) == {f"inception/{name}" for name in distances}
    metrics = {name.removeprefix("inception/"): metric for name, metric in metrics.items()}
    assert all(isinstance(metric, SetMetric) for metric in metrics.values())
    assert len({id(metric.embedding) for metric in metrics.values()}) == 1
    assert [metrics[name].title for name in distances] == ["FID", "KID", "U-IDS", "P-IDS"]
    assert metrics["fid"].least == metrics["kid"].least == 2
    assert 2 * metrics["u_ids"].least > 2048 + 1 == 2 * (metrics["p_ids"].least - 1) + 1
    embedding, image = metrics["fid"].embedding, jax.ShapeDtypeStruct((3, 50, 70, 3), np.uint8)
    assert jax.eval_shape(embedding.embed, embedding.parameters, image).shape == (3, 2048)

    found = {name: metric.distance(*pair) for name, metric in metrics.items()}
    assert found == {name: distance(*pair) for name, distance in distances.items()}
    assert len(set(found.values())) == 4
    photographs, filled = pair
    moved = np.roll(filled, 1, axis=0)
    assert metrics["p_ids"].distance(photographs, moved) != found["p_ids"]  # the pairing counts here alone
    assert metrics["u_ids"].distance(photographs, moved) == found["u_ids"]
    assert metrics["kid"].distance(photographs, photographs) < 0
    assert "identical sets give a negative value" in metrics["kid"].definition


def test_every_name_of_the_stand_in_is_its_own_distance_and_never_called_fid(stand_in, pair):
    assert list(collect_metrics(["squeezenet"])) == ["squeezenet/frechet", "squeezenet/kernel"]
    frechet, kernel = stand_in["frechet"], stand_in["kernel"]
    assert frechet.distance(*pair) == frechet_distance(*pair)
    assert kernel.distance(*pair) == paired_kernel_distance(*pair)
    assert frechet_distance(*pair) != paired_kernel_distance(*pair) != kernel_distance(*pair)
    assert kernel.distance(pair[0], pair[0].copy()) == 0
    assert "0 for identical sets" in kernel.definition
    assert frechet.decimals == 0 and kernel.decimals <= 1  # batch size alone moves the rest
    for metric in (frechet, kernel):
        assert "SqueezeNet" in metric.title and "SqueezeNet" in metric.definition
        assert "FID" not in metric.title + metric.definition and "KID" not in metric.title + metric.definition


def test_the_stand_in_averages_over_the_picture(stand_in):
    embedding = stand_in["frechet"].embedding
    image = np.random.default_rng(0).integers(0, 256, (2, 71, 64, 3), np.uint8)
    image[1] = 255 - image[0]
    found, turned = (embedding.embed(embedding.parameters, given) for given in (image, image[[1, 1]]))
    fire9 = jax.jit(SqueezeNet(("fire9",)).apply)({"params": embedding.parameters}, image / np.float32(255))["fire9"]
    assert found.shape == (2, 512) and float(found.std()) > 0
    np.testing.assert_allclose(found, fire9.mean((1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(turned[0], found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not (H5.is_file() and (SHARED / "faces_dev").is_dir()), reason="no published weights or faces")
def test_more_noise_is_farther_away():
    Image = pytest.importorskip("PIL.Image")
    import_weights("squeezenet", str(H5))
    files = sorted((SHARED / "faces_dev").glob("*.jpg"))[:24]
    faces = np.stack([np.asarray(Image.open(file).crop((0, 20, 178, 198)).resize((64, 64))) for file in files])
    noise = np.random.default_rng(0).normal(size=faces.shape)
    metrics = open_metrics("squeezenet")
    embedding = metrics["frechet"].embedding

    def embed(images):
        return np.asarray(embedding.embed(embedding.parameters, images), np.float64)

    original = embed(faces)
    rows = [
        embed(np.uint8(np.clip(np.round(faces + 255 * deviation * noise), 0, 255)))
        for deviation in (0.0, 0.05, 0.1, 0.3)
    ]
    for metric in metrics.values():
        values = [metric.distance(original, row) for row in rows]
        assert values == sorted(values) and values[-1] > 2 * values[1] > 0, values
