"""What the page asks of the network, without a page."""

import dataclasses
import logging
import threading
import time

import jax
import numpy as np
import pytest
from mean_colours import GREY, MeanColours
from miniatures import photograph, write
from PIL import Image
from small_networks import MASKED_ATTENTION, PLAIN, small_trained
from toy_method import ToyMethod, toy_batch

from scan_jax.core.errors import UserError
from scan_jax.data.portraits import portrait
from scan_jax.demo.example import draw_example
from scan_jax.demo.filling import FillRequest, Session, tint
from scan_jax.demo.painting import shown_shape, strokes_of
from scan_jax.demo.serving import Limits
from scan_jax.inference.bundles.exporting import export
from scan_jax.inference.inpainter import Inpainter
from scan_jax.inference.request import FillOptions
from scan_jax.inference.summary import WarningCollector
from scan_jax.weights import registry


@pytest.fixture(scope="module")
def toy():
    method = ToyMethod()
    return Inpainter(method, method.init(jax.random.key(0), toy_batch(0)), size=32)


@pytest.fixture(scope="module")
def painter():
    """A network that wants 19 classes and paints each in the mean of its known colours."""
    return Inpainter(MeanColours(), GREY, size=32)


def open_session(network, folder):
    (folder / "results").mkdir()
    return Session(network, Limits(), folder / "results")


@pytest.fixture
def session(toy, tmp_path):
    return open_session(toy, tmp_path)


@pytest.fixture
def label_session(painter, tmp_path):
    return open_session(painter, tmp_path)


SHAPE = (40, 40)


def centre(shape):
    hole = np.zeros(shape, bool)
    hole[shape[0] // 3 : shape[0] // 2, shape[1] // 3 : shape[1] // 2] = True
    return hole


def write_hole(path, hole):
    return str(write(path, np.where(hole, np.uint8(255), np.uint8(0))))


@pytest.fixture
def wanted(tmp_path):
    path = str(write(tmp_path / "a.png", photograph(0, *SHAPE)))
    return FillRequest(path, hole=write_hole(tmp_path / "hole.png", centre(SHAPE)))


def test_known_pixels_alpha_profile_and_exif_are_in_the_file_byte_for_byte(session, tmp_path):
    rgba = np.dstack([photograph(3, 45, 61), np.random.default_rng(0).integers(0, 256, (45, 61), np.uint8)])
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(rgba).save(tmp_path / "mine.png", exif=exif, icc_profile=b"a profile")
    hole = centre((45, 61))
    filled = session.fill(FillRequest(str(tmp_path / "mine.png"), hole=write_hole(tmp_path / "hole.png", hole)))
    assert filled.result.name == "mine_filled.png"
    with Image.open(filled.result) as image:
        result = np.asarray(image)
        assert image.info["icc_profile"] == b"a profile"
        assert image.getexif()[0x010F] == "a camera"
    np.testing.assert_array_equal(result[~hole], rgba[~hole])
    assert (result[hole][:, 3] == 255).all()
    assert (result[hole] != rgba[hole]).any()
    np.testing.assert_array_equal(np.asarray(Image.open(filled.hole)) == 255, hole)
    with Image.open(filled.before) as before, Image.open(filled.after) as after:
        assert before.size == after.size == shown_shape((45, 61))[::-1]
    assert filled.note.startswith("61x45 pixels, ")


def test_strokes_and_an_uploaded_hole_are_filled_together(session, wanted, tmp_path):
    uploaded, painted = np.zeros(SHAPE, bool), np.zeros(shown_shape(SHAPE), bool)
    uploaded[:10, :10], painted[-128:, -128:] = True, True
    hole = session.read(
        FillRequest(wanted.photograph, painted, write_hole(tmp_path / "hole.png", ~uploaded), "black")
    ).hole
    assert hole[:10, :10].all() and hole[30:, 30:].all() and hole.sum() == 200


def test_the_photograph_may_bring_its_hole_and_a_hole_may_grow(session, tmp_path):
    rgba = np.dstack([photograph(3, *SHAPE), np.full(SHAPE, 255, np.uint8)])
    rgba[5:9, 6:8, 3] = 0
    erased = np.zeros(SHAPE, bool)
    erased[5:9, 6:8] = True
    Image.fromarray(rgba).save(tmp_path / "erased.png")
    wanted = FillRequest(str(tmp_path / "erased.png"), options=FillOptions(hole_from="alpha"))
    np.testing.assert_array_equal(session.read(wanted).hole, erased)
    with Image.open(session.fill(wanted).result) as image:
        assert (np.asarray(image)[..., 3] == 255).all()
    grown = session.read(dataclasses.replace(wanted, options=FillOptions(hole_from="alpha", grow=1))).hole
    expected = erased.copy()
    expected[4:10, 6:8] = expected[5:9, 5:9] = True  # a disc of radius 1 has no corners
    np.testing.assert_array_equal(grown, expected)


def test_what_comes_with_the_package_may_fill_instead(session, painter, wanted, tmp_path):
    (tmp_path / "other").mkdir()
    wants_labels = open_session(painter, tmp_path / "other")
    own = session.fill(wanted)
    other = dataclasses.replace(wanted, model="harmonic")
    expected = Inpainter.load("harmonic")(wanted.photograph, wanted.hole)
    for one in (session, wants_labels, session):  # labels are not needed for it
        np.testing.assert_array_equal(np.asarray(Image.open(one.fill(other).result)), expected)
    assert session.fill(wanted).result.read_bytes() == own.result.read_bytes()
    with pytest.raises(UserError, match="no model 'harmonics', did you mean 'harmonic'"):
        session.fill(dataclasses.replace(wanted, model="harmonics"))


def test_imported_weights_without_labels_may_fill_instead(toy, wanted, tmp_path, monkeypatch):
    monkeypatch.setenv(registry.FOLDER_VARIABLE, str(tmp_path / "weights"))
    for name, section in (("lama", PLAIN), ("sean", MASKED_ATTENTION)):
        export(small_trained(section), tmp_path / "weights" / name, platforms=())
    session = open_session(toy, tmp_path)
    assert "lama" in session.models and "sean" not in session.models
    assert "Public weights of lama" in session.origin("lama")
    filled = np.asarray(Image.open(session.fill(dataclasses.replace(wanted, model="lama")).result))
    expected = Inpainter.load(tmp_path / "weights" / "lama")(wanted.photograph, wanted.hole)
    np.testing.assert_array_equal(filled, expected)


def test_what_a_model_was_trained_on_stands_beside_the_button(toy, tmp_path):
    session = open_session(toy, tmp_path)
    assert "not noted" in session.origin() and "openly licensed" in session.origin("open")
    assert "not trained" in session.origin("telea")
    for data, told in (("synthetic_portraits", "drawn portraits only"), ("of_mine", "of_mine")):
        toy.about["data"] = data
        assert session.origin() == f"Trained on {told}."
    toy.about.clear()


def test_one_seed_one_result_and_old_ones_are_thrown_away(session, wanted, monkeypatch):
    seeded = dataclasses.replace(wanted, options=FillOptions(seed=3))
    first, second = session.fill(seeded).result, session.fill(seeded).result
    assert first.read_bytes() == second.read_bytes()
    kept = time.time() + 60 * session.limits.minutes
    monkeypatch.setattr(time, "time", lambda: kept + 1)
    third = session.fill(seeded).result
    assert not first.exists() and not second.exists() and third.exists()


def test_what_cannot_be_done_is_one_line_and_all_hole_is_said(session, wanted, tmp_path):
    other = write_hole(tmp_path / "other.png", centre((50, 40)))
    for changes, message in (
        ({"photograph": None}, "there is no photograph yet"),
        ({"hole": None}, "there is no hole: paint over"),
        ({"hole": other}, "the photograph is 40x40 pixels, the hole 40x50"),
        ({"suffix": ".exe"}, "must end in one of"),
        ({"options": FillOptions(refine="style_search", steps=5)}, "no optimisation at test time"),
    ):
        with pytest.raises(UserError, match=message):
            session.fill(dataclasses.replace(wanted, **changes))
    white = write_hole(tmp_path / "white.png", np.ones(SHAPE, bool))
    with WarningCollector() as collector:
        session.fill(dataclasses.replace(wanted, hole=white))
    assert any("the whole photograph is hole" in line for line in collector.messages)


def test_only_this_threads_warnings_are_overheard():
    log = logging.getLogger("scan_jax.somewhere")
    with WarningCollector() as collector:
        other = threading.Thread(target=lambda: log.warning("of another person"))
        other.start()
        other.join()
        log.warning("mine")
        log.warning("mine")
        log.info("quiet")
    log.warning("late")
    assert list(collector.messages) == ["mine"]


def label_files(tmp_path, index=3, size=48):
    image, labels = portrait(0, index, size)
    paths = write(tmp_path / f"face{index}.png", image), write(tmp_path / f"face{index}_labels.png", labels)
    return *map(str, paths), image, labels


def test_labels_are_needed_checked_and_repainted(label_session, tmp_path):
    path, labels_path, _, labels = label_files(tmp_path)
    hole = write_hole(tmp_path / "hole.png", centre((48, 48)))
    for number, (given, message) in enumerate(
        (
            (None, "upload a PNG whose pixel values are the classes 0 to 18"),
            (labels[:20], "their proportions differ"),
            (labels + np.uint8(19), "but 19 classes are numbered 0 to 18"),
        )
    ):
        file = None if given is None else str(write(tmp_path / f"{number}.png", given))
        with pytest.raises(UserError, match=message):
            label_session.fill(FillRequest(path, hole=hole, labels=file))
    painted = np.full(shown_shape((48, 48)), -1, np.int32)
    painted[: 512 // 4] = 14  # a hat
    read = label_session.read(FillRequest(path, hole=hole, labels=labels_path, classes=painted))
    assert (read.labels[:12] == 14).all()
    np.testing.assert_array_equal(read.labels[12:], labels[12:])
    half = str(write(tmp_path / "half.png", labels[::2, ::2]))
    assert label_session.read(FillRequest(path, hole=hole, labels=half)).labels.shape == (48, 48)


def test_styles_come_from_a_reference(label_session, tmp_path):
    path, labels_path, _, _ = label_files(tmp_path)
    other, other_labels, _, _ = label_files(tmp_path, index=5)
    base = {"photograph": path, "labels": labels_path, "hole": write_hole(tmp_path / "h.png", centre((48, 48)))}
    reference = {"reference": other, "reference_labels": other_labels}
    own = label_session.fill(FillRequest(**base)).result.read_bytes()
    assert label_session.fill(FillRequest(**base, **reference)).result.read_bytes() != own
    with pytest.raises(UserError, match="upload both, or none"):
        label_session.fill(FillRequest(**base, reference=other))
    with pytest.raises(UserError, match="the reference photograph shows no part 'beak'"):
        label_session.fill(FillRequest(**base, **reference, options=FillOptions(style_parts=("beak",))))
    assert (
        label_session.fill(
            FillRequest(**base, **reference, options=FillOptions(style_parts=("skin",)))
        ).result.read_bytes()
        != own
    )


def test_a_clicked_hole_pixel_shows_where_it_looks(label_session, tmp_path):
    path, labels_path, image, _ = label_files(tmp_path)
    hole = centre((48, 48))
    wanted = FillRequest(path, labels=labels_path, hole=write_hole(tmp_path / "h.png", hole))
    side = shown_shape((48, 48))[0]
    inside, outside = (20 / 48 * side, 18 / 48 * side), (2.0, 2.0)
    pictures = label_session.attention(wanted, inside)
    assert pictures
    assert all(picture.shape == (side, side, 3) and picture.std() > 0 for picture in pictures.values())
    with pytest.raises(UserError, match="is not in the hole"):
        label_session.attention(wanted, outside)
    assert (tint(image, hole)[int(inside[1]), int(inside[0])] == (237, 51, 140)).all()


def test_an_equation_fills_like_a_network(tmp_path):
    telea = Inpainter.load("telea")
    example = draw_example(tmp_path / "example", telea.size, telea.num_labels, (237, 51, 140))
    session, layer = open_session(telea, tmp_path), Image.open(example.layer)
    filled = session.fill(
        FillRequest(str(example.photograph), strokes_of([layer]), options=FillOptions(blend="poisson"))
    )
    before, after, hole = (np.asarray(Image.open(path)) for path in (example.photograph, filled.result, filled.hole))
    assert (after[hole == 0] == before[hole == 0]).all() and (after[hole > 0] != before[hole > 0]).any()
    row, column = (np.argwhere(hole)[0] + 0.5) * shown_shape(hole.shape)[0] / len(hole)
    with pytest.raises(UserError, match="no attention between pixels"):
        session.attention(FillRequest(str(example.photograph), hole=str(filled.hole)), (column, row))


@pytest.mark.parametrize("num_labels", [0, 19])
def test_the_example_can_be_filled_at_once(tmp_path, toy, painter, num_labels):
    example = draw_example(tmp_path / "example", 32, num_labels, (237, 51, 140))
    session, layer = open_session(painter if num_labels else toy, tmp_path), Image.open(example.layer)
    labels = str(example.labels) if num_labels else None
    read = session.read(FillRequest(str(example.photograph), strokes_of([layer]), labels=labels))
    assert 0.03 < read.hole.mean() < 0.3
    if num_labels:
        np.testing.assert_array_equal(read.labels, np.asarray(Image.open(example.labels)))
        assert read.labels.max() > 12
    assert draw_example(tmp_path, 32, 12, (0, 0, 0)) is None  # there is none for networks of other classes
