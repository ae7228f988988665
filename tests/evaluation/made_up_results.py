"""Results made up for the tests of tables."""

import numpy as np

from scan_jax.evaluation.results import Conditions, EntryResult, Results
from scan_jax.metrics.api import Embedding, Metric, SetMetric

METRICS = {
    "standard/psnr": Metric(None, "PSNR", "higher", "dB", 2, "over RGB, range 255"),
    "standard/mae": Metric(None, "MAE", "lower", "%", 2, "in % of the range"),
    "edge_connect/psnr": Metric(None, "PSNR", "higher", "dB", 2, "over grey_values & 100% #1"),
    "checks/colour_shift": Metric(None, "colour shift", "zero", "", 3, "mean of a_b | c"),
    "inception/fid": SetMetric(
        None, Embedding("inception_v3", None, None), 2, "FID", "lower", "", 2, "InceptionV3 pool features"
    ),
}
IMAGE_METRICS = [name for name in METRICS if name != "inception/fid"]


def conditions(protocol="faces64 (the run's own)", count=6):
    photographs, holes = ("faces_dev & co, held-out", "a1" * 32), ("free_form 10_40% #3", "b2" * 32)
    return Conditions(protocol, *photographs, *holes, count, 64, "8 bits")


def scores(seed, buckets, count=6):
    rng = np.random.default_rng(seed)
    return {bucket: {name: rng.normal(25, 3, count).astype(np.float32) for name in IMAGE_METRICS} for bucket in buckets}


def entry(name, seed, *, buckets=("10-20%", "20-30%"), kind="run", prediction=True, count=6, **more):
    return EntryResult(
        name=name,
        kind=kind,
        details=more.pop("details", {"folder": f"runs/{name}", "step": "4900"}),
        completion=more.pop("completion", scores(seed, buckets, count)),
        prediction=scores(seed + 100, buckets, count) if prediction else {},
        sets=more.pop("sets", {bucket: {"inception/fid": 10.0 + seed} for bucket in buckets}),
        **more,
    )


def results(**changes):
    first = entry("faces_64 & 100%", 1, images_per_second=12.345, config={"method": {"name": "scan"}})
    second = entry("Navier-Stokes", 2, kind="baseline", prediction=False, details={}, sets={})
    return Results(**{"conditions": conditions(), "metrics": METRICS, "entries": (first, second), **changes})
