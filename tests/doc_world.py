"""A miniature of what the documentation's commands speak of: photographs, masks, archives and runs by name."""

import contextlib
import hashlib
import json
import shutil
import tarfile
from pathlib import Path

import miniatures
import numpy as np
import small_networks
from PIL import Image

from scan_jax.commands import evaluate as evaluate
from scan_jax.commands import experiment
from scan_jax.core import config as configuration
from scan_jax.core.errors import UserError
from scan_jax.data.api import open_data
from scan_jax.data.builders.open_photographs import Package, Photograph
from scan_jax.inference.bundles import exporting
from scan_jax.inference.trained import Trained

SIDE, BATCH = 64, 2
# What makes any config of the toolkit a matter of seconds.
OFTEN = ("checkpoint_every", "evaluate_every", "pictures_every", "steps")
TINY = {"data.size": SIDE, "training.batch_size": BATCH, "training.log_every": 1}
TINY |= {f"training.{key}": 2 for key in OFTEN}
TINY |= {"evaluation.photographs": 2, "evaluation.holes_per_bucket": 1, "evaluation.batch_size": BATCH}
TINY |= {"evaluation.refine": ()}
NARROW = {"width": 4, "critic_width": 4}
PERCEPTUAL = ("loss.perceptual", "style_search.perceptual")
NO_FEATURES = {"loss.style": 0.0, "loss.perceptual": 0.0}
TINY_METHOD = {
    "scan": {**NARROW, "prior": "none", "share": "one", "stages": 1, "blocks": 0, "attention": (), **NO_FEATURES},
    "masked_attention": {**NARROW, "prior": "none", "style_size": 8, "label_width": 4} | dict.fromkeys(PERCEPTUAL, 0.0),
    "edge_connect": {**NARROW, "blocks": 1, **NO_FEATURES},
    "partial_conv": {"width": 4, "depth": 2, **NO_FEATURES},
    "rfr": {"width": 8, "recurrences": 1, **NO_FEATURES},
}
DRAWN = {"data.name": "synthetic_portraits", "data.count": 8, "data.held_out": 2}  # where the config has archives
OPEN = "scan_jax/weights/open"
ARCHIVES = ("celeba_hq", "celebamask_hq", "paris_street_view")


def tiny(arguments):
    """The overrides that make a training command small, by what its config says."""
    return as_flags(settings_of(arguments))


def settings_of(arguments):
    """By key."""
    name = next(word.partition("=")[2] for word in arguments if word.startswith("--config="))
    config = configuration.load(name, [word for word in arguments if word.startswith("--config.")])
    settings = dict(TINY)
    small = NO_FEATURES if config.training.start_from == OPEN else TINY_METHOD[config.method["name"]]
    settings |= {f"method.{key}": value for key, value in small.items()}  # networks to start from have their own size
    if config.data["name"] in (*ARCHIVES, "synthetic_portraits"):
        settings |= DRAWN
    if config.holes["name"] == "irregular_masks":
        settings["holes.name"] = "free_form"
    return settings


def as_flags(settings):
    """`--config.KEY=VALUE` for each."""
    return [f"--config.{key}={value!r}" for key, value in settings.items()]


def build(folder, root):
    (folder / "configs").symlink_to(root / "configs")
    (folder / OPEN).parent.mkdir(parents=True)
    (folder / OPEN).symlink_to(root / OPEN)
    packages(folder / "DEBS")
    portraits = open_data({"name": "synthetic_portraits", "size": SIDE, "count": 24, "held_out": 4}).train
    _write_photographs(folder, portraits)
    _write_labelled(folder, portraits)
    _write_masks(folder)
    miniatures.write_celebamask(folder / "archive", range(3))
    miniatures.write_zip(folder / "CelebAMask-HQ.zip", folder / "archive")
    (folder / "FEW").symlink_to(folder / "archive")
    for part, names in (("paris_train", "abc"), ("paris_eval", "de")):
        miniatures.write_photographs(folder / "PARIS" / part, [f"{name}.png" for name in names], 96)


def _write_photographs(folder, portraits):
    for i in range(24):
        where = "FACES" if i < 16 else "TEST_FACES"
        for name in (where, "PHOTOS", "SQUARES"):
            miniatures.write(folder / name / f"{i:03d}.png", portraits[i]["image"])
    miniatures.write_zip(folder / "FACES.zip", folder / "FACES")
    image = {"id": 0, "file_name": "000.png", "height": SIDE, "width": SIDE}
    person = {"image_id": 0, "category_id": 1, "segmentation": [[9, 9, 40, 9, 9, 40]]}
    coco = {"images": [image], "annotations": [person], "categories": [{"id": 1, "name": "person"}]}
    (folder / "instances.json").write_text(json.dumps(coco))
    hole = np.zeros((SIDE, SIDE), np.uint8)
    hole[20:44, 16:48] = 255
    miniatures.write(folder / "hole.png", hole)
    (folder / "docs").mkdir()
    for name in ("photo.jpg", "hole.png"):  # of the README's first command
        shutil.copy(Path(__file__).parents[1] / "docs" / name, folder / "docs" / name)
    first, second = (portraits[i] for i in faces_with_hair(portraits))
    miniatures.write(folder / "photo.png", first["image"])
    miniatures.write(folder / "erased.png", np.dstack([first["image"], 255 - hole]))
    painted = np.where(hole[..., None] > 0, np.uint8([255, 0, 255]), first["image"])
    miniatures.write(folder / "painted.png", painted)
    miniatures.write(folder / "labels.png", first["labels"])
    miniatures.write(folder / "other.png", second["image"])
    miniatures.write(folder / "other_labels.png", second["labels"])


def faces_with_hair(portraits):
    """The first two that show hair (13) and skin (1)."""
    return [i for i in range(len(portraits)) if {1, 13} <= set(np.unique(portraits[i]["labels"]))][:2]


def _write_labelled(folder, portraits):
    for i in range(12):
        photo, labels = portraits[i]["image"], portraits[i]["labels"]
        part = "train" if i < 8 else "val"
        miniatures.write(folder / "CAMVID" / part / f"{i:03d}.png", photo)
        miniatures.write(folder / "CAMVID" / part / f"{i:03d}_label.png", labels % 12)
        miniatures.write(folder / "LABELLED" / "images" / f"{i:03d}.png", photo)
        miniatures.write(folder / "LABELLED" / "labels" / f"{i:03d}.png", labels)


def _write_masks(folder):
    draw = np.random.default_rng(0)
    for i in range(24):
        hole = np.zeros((SIDE, SIDE), np.uint8)
        area = SIDE * SIDE * draw.uniform(0.12, 0.58)
        height = int(draw.integers(int(area // 60) + 1, 61))
        width = int(area // height)
        top, left = draw.integers(0, SIDE - height + 1), draw.integers(0, SIDE - width + 1)
        hole[top : top + height, left : left + width] = 255
        for name in ("HOLES", "MASKS"):
            miniatures.write(folder / name / f"{i:03d}.png", hole)


def write_runs(folder):
    """runs/demo, which was trained for two steps, copies of it, a bundle of it, and a bundle of masked attention."""
    runs = folder / "runs"
    experiment.run(configuration.load("demo", tiny(["--config=demo"])), runs / "demo")
    for other in ("faces64", "a", "b", "celeba", "paris", "first", "perceptual"):
        shutil.copytree(runs / "demo", runs / other)
    (runs / "first" / "checkpoints" / "2").rename(runs / "first" / "checkpoints" / "200")
    exporting.export(Trained.load(runs / "demo"), runs / "exported", platforms=("cpu",))
    section = {**small_networks.MASKED_ATTENTION, "num_labels": 19}
    for name in ("portraits64", "celebamask", "camvid64"):
        exporting.export(small_networks.small_trained(section, size=SIDE), runs / name, platforms=())


def diverged(folder):
    """A run that gave up after a bad step, in place of one that had none."""
    run = folder / "runs" / "bad"
    if not run.exists():
        bad = {"steps": 6, "checkpoint_every": 1, "guard.retries": 1, "optimizers.generator.schedule": "constant"}
        bad |= {"pictures_every": 0, "evaluate_every": 6}  # of what is no number nothing can be drawn
        bad |= {"optimizers.generator.warmup": 2, "optimizers.generator.learning_rate": 1e30}
        overrides = [*tiny(["--config=demo"]), *as_flags({f"training.{key}": value for key, value in bad.items()})]
        with contextlib.suppress(UserError):
            experiment.run(configuration.load("demo", overrides), run)
    return f"--run={run}"


def packages(folder):
    """Two of Debian's packages with a photograph each, in place of those that `open_photographs` lists."""
    listed = []
    for name, split in (("one", "train"), ("two", "test")):
        photograph, file = folder / f"{name}.png", folder / f"{name}_1.0_all.deb"
        if not file.exists():
            miniatures.write_photographs(folder, [photograph.name], 300)
            with tarfile.open(folder / "data.tar.xz", "w:xz") as archive:
                archive.add(photograph, "./usr/p.png")
            parts = {b"debian-binary": b"2.0\n", b"data.tar.xz": (folder / "data.tar.xz").read_bytes()}
            members = (
                b"%-48s%-10d`\n%s%s" % (part, len(data), data, b"\n" * (len(data) % 2)) for part, data in parts.items()
            )
            file.write_bytes(b"!<arch>\n" + b"".join(members))
        with Image.open(photograph) as image:
            one = Photograph(f"{name}/p", "usr/p.png", "", "CC0-1.0", "Ann", image.height, image.width, False)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        listed.append(Package(name, "1.0", digest, split, "https://example.org", (one,)))
    return listed


def write_results(folder, overrides):
    """RESULTS: what a program made of the demo's test that leaves everything as it is."""
    test, results = folder / "RESULTS_TEST", folder / "RESULTS"
    for old in (test, results):
        shutil.rmtree(old, ignore_errors=True)
    flags = ["--protocol=configs/demo.py", f"--write_test={test}", *overrides]
    evaluate.evaluate(*evaluate.parse(flags))
    for image in test.glob("*/images/*.png"):
        pixels = np.asarray(Image.open(image))
        miniatures.write(results / image.parts[-3] / image.name, pixels)


def small_test(arguments):
    """The overrides that make the test of a config or a paper small."""
    name = next((word.partition("=")[2] for word in arguments if word.startswith("--protocol=")), "")
    if not name:
        return []
    settings = {"data.size": SIDE, "holes.name": "free_form", **DRAWN}
    if configuration.is_config(name):
        found = settings_of([f"--config={name}", *arguments])
        settings = {key: value for key, value in found.items() if key.startswith(("data.", "holes."))}
    return as_flags(settings | {key: TINY[key] for key in ("evaluation.photographs", "evaluation.holes_per_bucket")})


def fewer(arguments, folder):
    """The arguments that let a dataset be built from a few of its photographs."""
    if arguments[0] in ("celeba_hq", "celebamask_hq") and "--source=FEW" not in arguments:
        split = miniatures.write_split(folder / "split.txt", train=["0-1"], test=["2"])
        return [f"--split={split}", f"--size={SIDE}"]
    if arguments[0] == "paris_street_view":
        return [f"--size={SIDE}"]
    return ["--per_bucket=2"] if arguments[0] == "holes" else []
