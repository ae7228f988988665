"""Scores of a whole test: who does which part, what is kept, what an interruption loses, what is refused."""

import types

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from made_up_tests import SIZE, Noise, constant, error, noise_holes, rounded
from skimage.metrics import peak_signal_noise_ratio

from scan_jax.core.errors import UserError
from scan_jax.evaluation import scoring
from scan_jax.evaluation.benchmark import Benchmark
from scan_jax.evaluation.entries import BASELINES, by_network, one_by_one
from scan_jax.evaluation.results import COMPLETION, PREDICTION
from scan_jax.evaluation.scoring import MetricSuite, ScoreStore, Share, photograph_vectors, score, score_sets
from scan_jax.metrics.api import Embedding, SetMetric, collect_metrics
from scan_jax.metrics.standard import METRICS

DEVICES = 2
EMPTY = {"0-10%": np.zeros((0, SIZE, SIZE), bool)}


def make(count=5, batch_size=4, classes=0):
    return Benchmark(Noise(count, classes), EMPTY | noise_holes(), count, batch_size)


def mean_colour(parameters, image):
    return image.mean((1, 2)) / 255 * parameters  # [B,3]


def distance(photographs, filled):
    return float(np.square(photographs - filled).sum())


EMBEDDING = Embedding("mean colour", mean_colour, np.float32(2))
SETS = {"toy/distance": SetMetric(distance, EMBEDDING, 2, "D", "lower", "", 2, "")}


def measured(test=None, predict=constant, metrics=METRICS, **options):
    return score(by_network(predict), make() if test is None else test, MetricSuite(metrics), title="toy", **options)


def assert_equal(found, expected):
    jax.tree.map(lambda *each: np.testing.assert_allclose(*each, rtol=1e-6, atol=2e-7), found.scores, expected.scores)
    jax.tree.map(lambda *each: np.testing.assert_allclose(*each, rtol=1e-5), found.vectors, expected.vectors)


def test_every_photograph_in_every_bucket_and_empty_buckets_empty():
    test = make()
    found = measured(test, metrics=METRICS | SETS)
    assert list(found.scores) == [COMPLETION, PREDICTION]
    assert list(found.scores[COMPLETION]) == ["0-10%", "10-20%", "40-50%"]
    assert found.scores[COMPLETION]["0-10%"]["psnr"].shape == (0,)
    everywhere = np.ones((SIZE, SIZE), bool)
    for bucket, holes in noise_holes().items():
        completed, raw = (found.scores[kind][bucket] for kind in (COMPLETION, PREDICTION))
        for i, truth in enumerate(test.photographs.images):
            completion = rounded(truth, holes[i % len(holes)])
            expected = peak_signal_noise_ratio(truth, completion)
            np.testing.assert_allclose(completed["psnr"][i], expected, rtol=1e-5)
            np.testing.assert_allclose(completed["mae"][i], error(completion, truth), rtol=1e-5)
            np.testing.assert_allclose(raw["mae"][i], error(rounded(truth, everywhere), truth), rtol=1e-5)
            vector = found.vectors[bucket]["mean colour"][i]
            np.testing.assert_allclose(vector, 2 * completion.mean((0, 1)) / 255, rtol=1e-5)


@pytest.mark.parametrize("count", [2, 3])
def test_several_processes_share_the_parts_and_agree(monkeypatch, count):
    """Each process' zeros where others worked; their sum is what one process finds alone."""
    monkeypatch.setattr(scoring, "PART", 4)
    test, handed_in = make(count=7), []
    whole = measured(test)
    monkeypatch.setattr(Share, "gather", lambda self, arrays: handed_in.append(arrays) or dict(arrays))
    for index in range(count):
        measured(test, share=Share(index, count))
    added = {name: sum(arrays[name] for arrays in handed_in) for name in handed_in[0]}
    worked = [np.any(arrays[f"{COMPLETION}|scores|mae"] != 0) for arrays in handed_in]
    assert all(worked), "a process had nothing to do"
    for name in ("psnr", "ssim", "mae"):
        expected = [whole.scores[COMPLETION][row.bucket][name][row.index] for row in test.rows()]
        np.testing.assert_allclose(added[f"{COMPLETION}|scores|{name}"], expected, rtol=1e-6)


def test_devices_share_a_batch_and_too_little_work_is_done_by_every_process():
    devices = np.array(jax.devices())
    assert len(devices) == DEVICES
    mesh = Mesh(devices, ("data",))

    def share(tree):
        return jax.device_put(tree, NamedSharding(mesh, PartitionSpec("data")))

    def copy(tree):
        return jax.device_put(tree, NamedSharding(mesh, PartitionSpec()))

    test, metrics = make(batch_size=8), METRICS | SETS
    shared = score(by_network(constant), test, MetricSuite(metrics, share, copy), title="shared")
    assert_equal(shared, measured(test, metrics=metrics))
    assert_equal(measured(make(count=2), share=Share(5, 6)), measured(make(count=2)))


def test_goes_on_where_it_was_interrupted(monkeypatch, tmp_path):
    monkeypatch.setattr(scoring, "PART", 4)
    asked, given = [], {"metrics": METRICS | SETS, "test": make(count=8)}

    def predict(seen):
        asked.append(len(seen.image))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return constant(seen)

    def stored(condition="x"):
        return measured(predict=predict, store=ScoreStore(tmp_path, "toy", (condition,)), **given)

    with pytest.raises(KeyboardInterrupt):
        stored()
    found = stored()
    assert len(asked) == 3 + 2  # two of four parts were kept
    assert_equal(found, measured(**given))
    stored()
    assert len(asked) == 5
    stored("y")
    assert len(asked) == 9, "other conditions, other scores"


def test_a_damaged_part_is_measured_again(tmp_path, caplog):
    found = measured(store=ScoreStore(tmp_path, "toy", ()))
    (part,) = tmp_path.rglob("*.scores")
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1  # one bit
    part.write_bytes(content)
    assert_equal(measured(store=ScoreStore(tmp_path, "toy", ())), found)
    assert "damaged" in caplog.text


def test_predictions_that_are_no_numbers_are_named():
    def predict(seen):
        image = np.array(constant(seen))
        image[1, 3, 3, 0] = np.nan
        image[2, 0, 0, 0] = np.inf
        return image

    with pytest.raises(UserError, match=r"photograph 0 with its hole of 40-50%, photograph 1 with its hole of 10-20%"):
        measured(predict=predict)


def test_predictions_are_cut_to_the_range_and_rounded_not_truncated():
    levels = np.array([-40.0, 0.4, 0.6, 127.5 + 1e-3, 254.4, 254.6, 900.0], np.float32)

    def predict(seen):
        return np.resize(levels / 255, seen.image.shape)

    batch = make().batch(make().rows()[:1])
    filled = by_network(predict)(batch)
    expected = np.resize(np.array([0, 0, 1, 128, 254, 255, 255], np.uint8), batch.photographs.shape)
    np.testing.assert_array_equal(filled[PREDICTION], expected)
    np.testing.assert_array_equal(filled[COMPLETION], np.where(batch.holes[..., None], expected, batch.photographs))


def test_the_digest_is_that_of_every_pixel_class_and_hole():
    first, again, pixel, hole = (make() for _ in range(4))
    fewer, labelled, other = make(count=4), make(classes=2), make(classes=3)
    pixel.photographs.images[4, 15, 15, 2] ^= 1
    hole.holes["40-50%"][1, 0, 0] ^= True
    assert first.digest == again.digest
    assert len({each.digest for each in (first, fewer, pixel, hole, labelled, other)}) == 6


def test_padding_is_never_handed_to_a_baseline():
    filled = []

    def fill(photograph, hole, labels):
        assert labels is None
        filled.append(hole)
        return photograph

    found = score(one_by_one(fill), make(), MetricSuite(METRICS), title="toy")
    assert len(filled) == 10
    assert np.isinf(found.scores[COMPLETION]["10-20%"]["psnr"]).all()
    assert PREDICTION not in found.scores


def test_sets_are_compared_pair_by_pair_and_bucket_by_bucket(tmp_path):
    test, suite = make(), MetricSuite(SETS)
    found = score(BASELINES["mean"].fill, test, suite, title="toy")
    truth = photograph_vectors(test, suite, ScoreStore(tmp_path, "photographs", ()), Share())
    np.testing.assert_allclose(truth["mean colour"], 2 * test.photographs.images.mean((1, 2)) / 255, rtol=1e-5)
    sets = score_sets(SETS, truth, found.vectors, {})
    assert sets["0-10%"] == {}
    expected = np.square(truth["mean colour"].astype(float) - found.vectors["40-50%"]["mean colour"]).sum()
    assert sets["40-50%"]["toy/distance"] == pytest.approx(expected)
    assert photograph_vectors(test, MetricSuite(METRICS), None, Share()) == {}
    ordered = SetMetric(lambda photographs, filled: photographs.sum(), EMBEDDING, 2, "D", "lower", "", 2, "")
    one_sided = score_sets({"toy/ordered": ordered}, truth, found.vectors, {})  # the photographs come first
    assert one_sided["40-50%"]["toy/ordered"] == pytest.approx(truth["mean colour"].sum(), rel=1e-5)


def test_what_is_pooled_is_of_all_completions_of_a_bucket_together():
    test, metrics = make(), collect_metrics(["standard"])
    truths, level = test.photographs.images, {"10-20%": 90, "40-50%": 60}

    def fill(photograph, hole, labels):
        same = np.array_equal(photograph, truths[0])
        return photograph if same else np.full_like(photograph, level["40-50%" if hole.mean() > 0.3 else "10-20%"])

    scores = score(one_by_one(fill), test, MetricSuite(metrics), title="toy").scores[COMPLETION]
    sets = score_sets(metrics, {}, {bucket: {} for bucket in scores}, scores)
    assert sets["0-10%"] == {}
    for bucket, filled in level.items():
        assert np.isinf(scores[bucket]["standard/psnr"]).sum() == 1
        error = np.square(truths[1:] - float(filled)).sum() / truths.size
        assert sets[bucket] == {"standard/psnr_pooled": pytest.approx(10 * np.log10(255**2 / error), abs=1e-4)}
    assert score_sets(metrics, {}, {"10-20%": {}}, {"10-20%": {}}) == {"10-20%": {}}  # without the scores of each


def test_speed_leaves_out_what_compiles(monkeypatch):
    def speed(count):
        test = make(count=count)
        return score(BASELINES["mean"].fill, test, MetricSuite(METRICS), title="toy").images_per_second

    times = iter([0.0, 100.0, 200.0, 201.0, 300.0, 301.0])  # before and after each of three batches of four
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "time", types.SimpleNamespace(perf_counter=lambda: next(times)))
        assert speed(6) == pytest.approx(4.0)
    assert speed(1) is None
