"""The protocol of measuring: which hole meets which photograph, what counts, and what is written."""

import dataclasses
import json
import logging

import jax
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from scan_jax.errors import UserError
from scan_jax.evaluation import baselines
from scan_jax.evaluation.baselines import class_mean, navier_stokes
from scan_jax.evaluation.evaluator import EvaluationSettings, Evaluator

SIZE = 16


class Noise:
    name, digest = "noise", "a" * 64

    def __init__(self, count, seed=0):
        self.images = np.random.default_rng(seed).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return {"image": self.images[index]}


class LabelledNoise(Noise):
    """Three classes in blocks of their own for each photograph."""

    def __getitem__(self, index):
        blocks = np.random.default_rng(index).integers(0, 3, (SIZE // 4, SIZE // 4), np.uint8)
        return super().__getitem__(index) | {"labels": np.kron(blocks, np.ones((4, 4), np.uint8))}


@dataclasses.dataclass
class Holes:
    holes: dict
    digest: str = "b" * 64


def random_holes(seed=1):
    rng = np.random.default_rng(seed)
    return Holes({"10-20%": rng.random((3, SIZE, SIZE)) < 0.15, "40-50%": rng.random((2, SIZE, SIZE)) < 0.45})


def constant(image, known, labels):
    """A prediction that depends on nothing, and is not a whole number of 8-bit steps."""
    del known, labels
    return np.full_like(image, 0.3)


def make(folder, count=5, **options):
    return Evaluator(Noise(count), random_holes(), folder, method="toy", **options)


def test_photograph_i_meets_hole_i_modulo_n(tmp_path):
    photographs, holes = Noise(5), random_holes()
    scores = make(tmp_path, batch_size=3).report(constant, 0).scores
    for label, stack in holes.holes.items():
        for i in range(5):
            truth, hole = photographs.images[i], stack[i % len(stack)]
            completion = np.where(hole[..., None], np.uint8(76), truth)  # round(0.3 * 255) is 76, not 76.5
            expected = peak_signal_noise_ratio(truth, completion)
            np.testing.assert_allclose(scores[label]["psnr"][i], expected, rtol=1e-5)
            error = 100 * np.abs(completion.astype(float) - truth).mean() / 255
            np.testing.assert_allclose(scores[label]["mae"][i], error, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 10, 64])
def test_the_batch_size_does_not_change_the_numbers(tmp_path, batch_size):
    reference = make(tmp_path, batch_size=5).report(constant, 0).scores
    scores = make(tmp_path, batch_size=batch_size).report(constant, 0).scores
    for label, found in reference.items():
        for metric, values in found.items():
            assert values.shape == (5,)
            np.testing.assert_allclose(scores[label][metric], values, rtol=1e-6)


def test_the_network_sees_full_batches_without_the_hole(tmp_path):
    seen = []

    def predict(image, known, labels):
        assert labels is None
        seen.append((image.shape, known.shape))
        assert image.dtype == known.dtype == np.float32
        assert np.all(image[np.broadcast_to(known == 0, image.shape)] == 0)
        return image

    make(tmp_path, count=5, batch_size=4).report(predict, 0)
    assert seen == [((4, SIZE, SIZE, 3), (4, SIZE, SIZE, 1))] * 3  # 5 photographs in 2 buckets


def test_the_network_sees_the_labels_of_its_photographs(tmp_path):
    photographs = LabelledNoise(5)
    seen = []

    def predict(image, known, labels):
        assert labels.dtype == np.int32
        for one, at, classes in zip(image, known, labels):
            (match,) = (i for i in range(5) if np.allclose(photographs.images[i] / 255 * at, one, atol=1e-6))
            np.testing.assert_array_equal(classes, photographs[match]["labels"])
            seen.append(match)
        return image

    Evaluator(photographs, random_holes(), tmp_path, method="toy", batch_size=4).report(predict, 0)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 4]  # the last one pads


def test_labelled_photographs_are_compared_with_the_class_mean_too(tmp_path):
    photographs, holes = LabelledNoise(5), random_holes()
    evaluator = Evaluator(photographs, holes, tmp_path, method="TOY")
    report = evaluator.report(constant, 7)
    assert list(report.baselines) == ["Navier-Stokes", "class mean"]
    truth, hole = photographs.images[3], holes.holes["40-50%"][1]
    expected = peak_signal_noise_ratio(truth, class_mean(truth, hole, photographs[3]["labels"]))
    np.testing.assert_allclose(report.baselines["class mean"]["40-50%"]["psnr"][3], expected, rtol=1e-5)
    assert {path.name.rsplit("_", 1)[0] for path in (tmp_path / "scores").iterdir()} == {"navier_stokes", "class_mean"}
    plain = make(tmp_path).report(constant, 7)
    np.testing.assert_array_equal(
        report.baselines["Navier-Stokes"]["40-50%"]["psnr"], plain.baselines["Navier-Stokes"]["40-50%"]["psnr"]
    )
    numbers = dict(evaluator(constant, 7))
    assert numbers["eval/psnr_gain/40-50%"] == pytest.approx(report.gain("40-50%", "psnr", "Navier-Stokes"))


def test_the_table_of_several_baselines_has_a_row_for_each(tmp_path):
    report = Evaluator(LabelledNoise(5), random_holes(), tmp_path, method="TOY").report(constant, 7)
    header, _, *rows = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in report.markdown().splitlines() if "|" in line
    ]
    assert header == ["hole", "filled by", "PSNR dB", "SSIM", "MAE %", "TOY above, dB", "n"]
    assert [row[:2] for row in rows[:4]] == [
        ["10-20%", "TOY"],
        ["", "Navier-Stokes"],
        ["", "class mean"],
        ["40-50%", "TOY"],
    ]
    for row, baseline in zip(rows[4:6], ("Navier-Stokes", "class mean")):
        mean = report.baselines[baseline]["40-50%"]["psnr"].mean()
        assert row[2] == f"{mean:.2f}"
        assert float(row[5]) == pytest.approx(report.mean("40-50%", "psnr") - mean, abs=0.006)
    assert max(map(len, report.text().splitlines()[:8])) < 80
    stored = json.loads(report.json())["buckets"]["40-50%"]["mae"]
    assert stored["baselines"]["class mean"]["mean"] == pytest.approx(
        np.mean(stored["baselines"]["class mean"]["per_image"])
    )


def test_a_refined_network_stands_beside_the_plain_one(tmp_path):
    photographs = LabelledNoise(5)

    def nearer(image, known, labels):
        return constant(image, known, labels) * 0.5 + 0.25  # halfway to mid-grey, the mean of the noise

    evaluator = Evaluator(photographs, random_holes(), tmp_path, method="TOY")
    numbers = dict(evaluator(constant, 7, {"style_search": nearer}))
    alone = evaluator.report(nearer, 7)
    for label in alone.scores:
        assert numbers[f"eval/style_search/psnr/{label}"] == pytest.approx(alone.mean(label, "psnr"))
    stored = json.loads((tmp_path / "step_00000007.json").read_text())["buckets"]["40-50%"]["mae"]
    assert stored["refined"]["style_search"]["mean"] == pytest.approx(alone.mean("40-50%", "mae"))
    rows = [line.split("|")[2:7] for line in (tmp_path / "step_00000007.md").read_text().splitlines() if "|" in line]
    name, psnr, *_, above = (cell.strip() for cell in rows[3])
    assert (name, psnr) == ("with style search", f"{alone.mean('10-20%', 'psnr'):.2f}")
    plain = numbers["eval/psnr/10-20%"]
    assert float(above) == pytest.approx(plain - alone.mean("10-20%", "psnr"), abs=0.006)
    plain_only = Evaluator(Noise(5), random_holes(), tmp_path, method="TOY").report(
        constant, 8, {"style_search": nearer}
    )
    assert "with style search" in plain_only.markdown()  # one baseline alone would make the wide table


def test_a_perfect_prediction_is_perfect_and_known_pixels_never_count(tmp_path):
    photographs = Noise(4)
    whole = iter(np.repeat(photographs.images, 2, axis=0).reshape(2, 4, SIZE, SIZE, 3) / np.float32(255))

    def oracle(image, known, labels):
        return next(whole) * (1 - known) + 7.0 * known  # nonsense where the pixels are known

    report = make(tmp_path, count=4, batch_size=4).report(oracle, 0)
    for label in report.scores:
        assert report.mean(label, "psnr") == np.inf and report.mean(label, "mae") == 0.0
    stored = json.loads(report.json())
    assert float(stored["buckets"]["10-20%"]["psnr"]["per_image"][0]) == np.inf
    assert report.gain("10-20%", "psnr", "Navier-Stokes") == np.inf


def test_the_raw_prediction_is_measured_over_all_pixels(tmp_path):
    report = make(tmp_path).report(constant, 0)
    grey = np.asarray(constant(np.zeros((1, SIZE, SIZE, 3)), np.zeros((1, SIZE, SIZE, 1)), None))
    images = Noise(5).images
    difference = np.abs(np.round(255 * grey.astype(np.float32)) - images).mean((1, 2, 3)) / 255 * 100
    np.testing.assert_allclose(report.prediction["10-20%"]["mae"], difference, rtol=1e-5)
    stored = json.loads(report.json())["buckets"]["40-50%"]["mae"]["prediction"]
    assert stored["mean"] == pytest.approx(difference.mean(), rel=1e-5)


def test_limit_measures_the_first_photographs(tmp_path):
    few, all_of_them = make(tmp_path, limit=2).report(constant, 0), make(tmp_path).report(constant, 0)
    assert few.conditions.count == 2 and all_of_them.conditions.count == 5
    for label in few.scores:
        np.testing.assert_allclose(few.scores[label]["psnr"], all_of_them.scores[label]["psnr"][:2], rtol=1e-6)
    assert make(tmp_path, limit=9).report(constant, 0).conditions.count == 5


def test_yields_names_and_writes_the_report(tmp_path, caplog):
    caplog.set_level(logging.INFO, "scan_jax.evaluation.evaluator")
    numbers = dict(make(tmp_path)(constant, 1500))
    kinds = [f"{of}{metric}" for of in ("", "prediction/") for metric in ("psnr", "ssim", "mae")]
    assert set(numbers) == {f"eval/{kind}/{label}" for kind in [*kinds, "psnr_gain"] for label in ("10-20%", "40-50%")}
    stored = json.loads((tmp_path / "step_00001500.json").read_text())
    for label in ("10-20%", "40-50%"):
        cell = stored["buckets"][label]["psnr"]
        (baseline,) = cell["baselines"].values()
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
    first = make(tmp_path).baselines()["Navier-Stokes"]
    truth, hole = Noise(5).images[3], random_holes().holes["40-50%"][1]
    expected = peak_signal_noise_ratio(truth, navier_stokes(truth, hole))
    np.testing.assert_allclose(first["40-50%"]["psnr"][3], expected, rtol=1e-5)

    monkeypatch.setattr(baselines.cv2, "inpaint", lambda *_, **__: pytest.fail("computed again"))
    again = make(tmp_path).baselines()["Navier-Stokes"]
    for label, found in first.items():
        for metric, values in found.items():
            np.testing.assert_array_equal(again[label][metric], values)


def test_the_baseline_is_computed_anew_for_another_test_or_a_damaged_file(tmp_path, caplog):
    make(tmp_path).baselines()
    make(tmp_path, limit=3).baselines()
    other = Evaluator(Noise(5), random_holes(seed=2), tmp_path, method="toy")
    other.baselines()
    files = sorted(tmp_path.glob("scores/navier_stokes_*/*.scores"))
    assert len(files) == 3
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    found = make(tmp_path).baselines()["Navier-Stokes"]
    assert "damaged" in caplog.text
    np.testing.assert_array_equal(found["10-20%"]["mae"], make(tmp_path).baselines()["Navier-Stokes"]["10-20%"]["mae"])


def test_metrics_run_under_the_transfer_guard(tmp_path):
    with jax.transfer_guard("disallow"):
        assert dict(make(tmp_path)(constant, 1))


def test_refuses_what_measures_nothing(tmp_path):
    with pytest.raises(UserError, match="no photographs"):
        make(tmp_path, count=0)
    with pytest.raises(UserError, match=r"16x16.*8"):
        Evaluator(Noise(2), Holes({"10-20%": np.ones((1, 8, 8), bool)}), tmp_path, method="toy")
    with pytest.raises(UserError, match="no holes of 10-20%"):
        Evaluator(Noise(2), Holes({"10-20%": np.ones((0, SIZE, SIZE), bool)}), tmp_path, method="toy")
    with pytest.raises(UserError, match="no holes"):
        Evaluator(Noise(2), Holes({}), tmp_path, method="toy")
    for wrong in ({"photographs": -1}, {"holes_per_bucket": -1}, {"batch_size": 0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            EvaluationSettings(**wrong)
