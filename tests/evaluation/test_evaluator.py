"""The protocol of measuring: which hole meets which photograph, what counts, and what is written."""

import json
import logging
import types

import jax
import numpy as np
import pytest
from made_up_tests import SIZE, Noise, constant, noise_holes
from skimage.metrics import peak_signal_noise_ratio

from scan_jax.core.errors import UserError
from scan_jax.evaluation.entries import class_mean
from scan_jax.evaluation.evaluator import Evaluator, training_json, training_table
from scan_jax.evaluation.tables.text_table import markdown, screen
from scan_jax.inference import ways

LABELS = ("10-20%", "40-50%")
NAMES = ["Navier-Stokes", "harmonic", "biharmonic", "class mean"]


def make(folder, photographs=None, holes=None, **options):
    fixed = types.SimpleNamespace(holes=noise_holes() if holes is None else holes, digest="b" * 64)
    return Evaluator(Noise(5) if photographs is None else photographs, fixed, folder, method="TOY", **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("plain")


@pytest.fixture(scope="module")
def plain(folder):
    return make(folder, batch_size=5).measure(constant)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """The same, of photographs with labels; and where it is written."""
    folder = tmp_path_factory.mktemp("labelled")
    return make(folder, Noise(5, classes=3)).measure(constant), folder


@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_the_batch_size_does_not_change_the_numbers(folder, plain, batch_size):
    scores = make(folder, batch_size=batch_size).measure(constant).entries[0].completion
    for label, found in plain.entries[0].completion.items():
        for metric, values in found.items():
            assert values.shape == (5,)
            np.testing.assert_allclose(scores[label][metric], values, rtol=1e-6)


def test_the_network_sees_full_batches_without_the_hole(folder):
    seen = []

    def predict(observation):
        image, known = observation.image, observation.known
        assert observation.labels is None
        seen.append((image.shape, known.shape))
        assert image.dtype == known.dtype == np.float32
        assert np.all(image[np.broadcast_to(known == 0, image.shape)] == 0)
        return image

    make(folder, batch_size=4).measure(predict)
    assert seen == [((4, SIZE, SIZE, 3), (4, SIZE, SIZE, 1))] * 3  # 5 photographs in 2 buckets


def test_the_network_sees_the_labels_of_its_photographs(tmp_path):
    photographs, seen = Noise(5, classes=3), []

    def predict(observation):
        assert observation.labels.dtype == np.int32
        for one, at, classes in zip(observation.image, observation.known, observation.labels):
            (match,) = (i for i in range(5) if np.allclose(photographs.images[i] / 255 * at, one, atol=1e-6))
            np.testing.assert_array_equal(classes, photographs[match]["labels"])
            seen.append(match)
        return observation.image

    make(tmp_path, photographs, batch_size=4).measure(predict)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]  # the last one pads


def baselines_of(results):
    """Their scores by name."""
    return {one.name: one.completion for one in results.entries if one.kind == "baseline"}


def mean(results, label, metric):
    return results.entries[0].completion[label][metric].mean()


def test_labelled_photographs_are_compared_with_the_class_mean_too(labelled, plain):
    results, folder = labelled
    labelled_ones, plain_ones = baselines_of(results), baselines_of(plain)
    assert list(labelled_ones) == NAMES
    truth, hole = Noise(5).images[3], noise_holes()["40-50%"][1]
    expected = peak_signal_noise_ratio(truth, class_mean(truth, hole, Noise(5, classes=3)[3]["labels"]))
    np.testing.assert_allclose(labelled_ones["class mean"]["40-50%"]["psnr"][3], expected, rtol=1e-5)
    kept = {path.name.rsplit("_", 1)[0] for path in (folder / "scores").iterdir()}
    assert kept == {"navier_stokes", "harmonic", "biharmonic", "class_mean"}
    assert list(plain_ones) == NAMES[:-1]
    for name in plain_ones:
        both = (each[name]["40-50%"]["psnr"] for each in (labelled_ones, plain_ones))
        np.testing.assert_allclose(*both, atol=0.01)  # another batch size
    numbers = dict(make(folder, Noise(5, classes=3))(constant, 7))
    gain = mean(results, "40-50%", "psnr") - labelled_ones["Navier-Stokes"]["40-50%"]["psnr"].mean()
    assert numbers["eval/psnr_gain/40-50%"] == pytest.approx(gain, abs=1e-5)


def cells(markdown):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in markdown.splitlines() if "|" in line]


def test_the_table_has_a_row_for_each_baseline(labelled):
    results, _ = labelled
    table = training_table(results, 7)
    header, _, *rows = cells(markdown(table))
    assert header == ["hole", "filled by", "PSNR dB", "SSIM", "MAE %", "TOY above, dB", "n"]
    names = [["10-20%", "TOY"], *(["", name] for name in NAMES), ["40-50%", "TOY"]]
    assert [row[:2] for row in rows[:6]] == names
    for row, baseline in zip(rows[6:], NAMES, strict=True):
        theirs = baselines_of(results)[baseline]["40-50%"]["psnr"].mean()
        assert row[2] == f"{theirs:.2f}"
        assert float(row[5]) == pytest.approx(mean(results, "40-50%", "psnr") - theirs, abs=0.006)
    assert max(map(len, screen(table).splitlines()[:8])) < 80
    stored = json.loads(training_json(results, 7))["buckets"]["40-50%"]["mae"]["baselines"]["class mean"]
    assert stored["mean"] == pytest.approx(np.mean(stored["per_image"]))


def test_a_refined_network_stands_beside_the_plain_one(labelled):
    def nearer(seen):
        return constant(seen) * 0.5 + 0.25  # halfway to mid-grey, the mean of the noise

    evaluator = make(labelled[1], Noise(5, classes=3))
    numbers = dict(evaluator(constant, 7, {"style_search": nearer}))
    alone = evaluator.measure(nearer)
    for label in alone.buckets:
        assert numbers[f"eval/style_search/psnr/{label}"] == pytest.approx(mean(alone, label, "psnr"))
    stored = json.loads((labelled[1] / "step_00000007.json").read_text())["buckets"]["40-50%"]["mae"]
    assert stored["refined"]["style_search"]["mean"] == pytest.approx(mean(alone, "40-50%", "mae"))
    _, name, psnr, *_, above, _ = cells((labelled[1] / "step_00000007.md").read_text())[3]
    assert (name, psnr) == ("with style search", f"{mean(alone, '10-20%', 'psnr'):.2f}")
    expected = numbers["eval/psnr/10-20%"] - mean(alone, "10-20%", "psnr")
    assert float(above) == pytest.approx(expected, abs=0.006)


def test_a_perfect_prediction_is_perfect_and_known_pixels_never_count(tmp_path):
    photographs = Noise(4)
    whole = iter(np.repeat(photographs.images, 2, axis=0).reshape(2, 4, SIZE, SIZE, 3) / np.float32(255))

    def oracle(seen):
        return next(whole) * (1 - seen.known) + 7.0 * seen.known  # nonsense where the pixels are known

    numbers = dict(make(tmp_path, photographs, batch_size=4)(oracle, 0))
    for label in LABELS:
        assert numbers[f"eval/psnr/{label}"] == np.inf and numbers[f"eval/mae/{label}"] == 0.0
    stored = json.loads((tmp_path / "step_00000000.json").read_text())
    assert float(stored["buckets"]["10-20%"]["psnr"]["per_image"][0]) == np.inf
    assert numbers["eval/psnr_gain/10-20%"] == np.inf


def test_limit_measures_the_first_photographs(folder, plain):
    few = make(folder, limit=2).measure(constant)
    assert few.conditions.count == 2 and plain.conditions.count == 5
    for label in few.buckets:
        first, all_of_them = (one.entries[0].completion[label]["psnr"] for one in (few, plain))
        np.testing.assert_allclose(first, all_of_them[:2], rtol=1e-6)
    assert make(folder, limit=9).measure(constant).conditions.count == 5


def test_yields_names_and_writes_the_report_even_under_the_transfer_guard(tmp_path, caplog):
    caplog.set_level(logging.INFO, "scan_jax.evaluation.evaluator")
    with jax.transfer_guard("disallow"):
        numbers = dict(make(tmp_path)(constant, 1500))
    kinds = [f"{of}{metric}" for of in ("", "prediction/") for metric in ("psnr", "ssim", "mae")]
    assert set(numbers) == {f"eval/{kind}/{label}" for kind in [*kinds, "psnr_gain"] for label in LABELS}
    stored = json.loads((tmp_path / "step_00001500.json").read_text())
    for label in LABELS:
        mae, cell = stored["buckets"][label]["mae"], stored["buckets"][label]["psnr"]
        assert numbers[f"eval/prediction/mae/{label}"] == pytest.approx(mae["prediction"]["mean"])
        assert mae["prediction"]["mean"] > np.mean(mae["per_image"])  # known pixels are wrong in it, too
        baseline = cell["baselines"]["Navier-Stokes"]
        assert len(cell["per_image"]) == len(baseline["per_image"]) == 5
        assert numbers[f"eval/psnr/{label}"] == pytest.approx(np.mean(cell["per_image"]), rel=1e-6)
        gain = np.mean(cell["per_image"]) - np.mean(baseline["per_image"])
        assert numbers[f"eval/psnr_gain/{label}"] == pytest.approx(gain, abs=1e-5)
    conditions = stored["conditions"]
    assert (conditions["step"], conditions["count"], conditions["size"]) == (1500, 5, SIZE)
    markdown = (tmp_path / "step_00001500.md").read_text()
    for text in ("a" * 12, "b" * 12, "16x16", "5 photographs", "Step 1500", "8 bits", "Gaussian 11"):
        assert text in markdown and text in caplog.text
    assert "a" * 13 not in markdown
    assert f"| {numbers['eval/psnr/10-20%']:.2f} |" in markdown


def test_the_baseline_is_navier_stokes_and_computed_once(tmp_path, monkeypatch):
    first = baselines_of(make(tmp_path).measure(constant))["Navier-Stokes"]
    truth, hole = Noise(5).images[3], noise_holes()["40-50%"][1]
    expected = peak_signal_noise_ratio(truth, ways.WAYS["navier_stokes"](truth, hole))
    np.testing.assert_allclose(first["40-50%"]["psnr"][3], expected, rtol=1e-5)
    with monkeypatch.context() as patch:
        patch.setattr(ways.cv2, "inpaint", lambda *_, **__: pytest.fail("computed again"))
        again = baselines_of(make(tmp_path).measure(constant))
        jax.tree.map(np.testing.assert_array_equal, again["Navier-Stokes"], first)


def test_the_baseline_is_computed_anew_for_another_test_or_a_damaged_file(tmp_path, caplog):
    for changes in ({}, {"limit": 3}, {"holes": noise_holes(seed=2)}):
        make(tmp_path, **changes).measure(constant)
    files = sorted(tmp_path.glob("scores/navier_stokes_*/*.scores"))
    assert len(files) == 3
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    found, again = make(tmp_path).measure(constant), make(tmp_path).measure(constant)
    assert "damaged" in caplog.text
    jax.tree.map(np.testing.assert_array_equal, baselines_of(found), baselines_of(again))


def test_refuses_what_measures_nothing(tmp_path):
    for photographs, holes, message in (
        (Noise(0), None, "no photographs"),
        (Noise(2), {"10-20%": np.ones((1, 8, 8), bool)}, r"16x16.*8"),
        (Noise(2), {"10-20%": np.ones((0, SIZE, SIZE), bool)}, "no holes of 10-20%"),
        (Noise(2), {}, "no holes"),
    ):
        with pytest.raises(UserError, match=message):
            make(tmp_path, photographs, holes)
