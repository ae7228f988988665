"""What public packages say of pairs of pictures: run by the interpreter that has them, not by the toolkit's own.

    python packages.py FOLDER

FOLDER/pairs.npz holds what `__main__` wrote. FOLDER/found.json has, by table and row, the number or the refusal of each
pair, and FOLDER/versions.json the packages' versions.
"""

import contextlib
import importlib
import importlib.metadata
import json
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_KEPT: list[Any] = []  # an operator library that is collected takes its operators with it
Pictures = np.ndarray  # uint8 [B,H,W,3]


class Row(NamedTuple):
    """One call of one package."""

    package: str  # as pip knows it
    call: str  # Markdown: x and y are 8-bit arrays, t and u tensors in [0, 1]
    measure: Callable[[Pictures, Pictures], float]  # (images, photographs), as many as the call takes at once
    batches: bool  # whether that is more than one


def of_pair(package: str, call: str, measure: Callable[[np.ndarray, np.ndarray], float]) -> Row:
    """Of a package that takes one picture at a time: uint8 [H,W,3] twice."""
    return Row(package, call, lambda images, photographs: measure(images[0], photographs[0]), False)


def of_tensors(package: str, call: str, measure: Callable[[Any, Any], Any]) -> Row:
    """Of a package that takes tensors: float32 [B,3,H,W] in [0, 1] twice."""
    return Row(package, call, lambda images, photographs: measure(tensor(images), tensor(photographs)), True)


def tensor(pictures: Pictures) -> Any:
    """uint8 [B,H,W,3] -> float32 [B,3,H,W] in [0, 1]."""
    import torch

    return torch.tensor(pictures.astype(np.float32) / 255).permute(0, 3, 1, 2)


def get(path: str) -> Any:
    """ "skimage.metrics:structural_similarity" is that function; its package is imported when it is asked for."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def ignite(name: str) -> Callable[[Any, Any], Any]:
    """One update of a metric of ignite."""

    def measure(t: Any, u: Any) -> Any:
        metric = get(f"ignite.metrics:{name}")(data_range=1.0)
        metric.update((t, u))
        return metric.compute()

    return measure


def skimage_ssim(**options: Any) -> Callable[[np.ndarray, np.ndarray], float]:
    return lambda x, y: get("skimage.metrics:structural_similarity")(y, x, channel_axis=2, **options)


def unit(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float32) / 255


def pyiqa(name: str) -> Callable[[Any, Any], Any]:
    return lambda t, u: get("pyiqa:create_metric")(name, device="cpu")(t, u).mean()


GAUSSIAN = {"gaussian_weights": True, "sigma": 1.5}
SSIM = [
    of_pair("scikit-image", "`structural_similarity(x, y, channel_axis=2)`", skimage_ssim()),
    of_pair("scikit-image", "the same, `gaussian_weights=True, sigma=1.5`", skimage_ssim(**GAUSSIAN)),
    of_pair("scikit-image", "and `use_sample_covariance=False`", skimage_ssim(**GAUSSIAN, use_sample_covariance=False)),
    of_tensors(
        "torchmetrics",
        "`StructuralSimilarityIndexMeasure(data_range=1.0)(t, u)`",
        lambda t, u: get("torchmetrics.image:StructuralSimilarityIndexMeasure")(data_range=1.0)(t, u),
    ),
    of_tensors(
        "torchmetrics",
        "the same without `data_range`",
        lambda t, u: get("torchmetrics.image:StructuralSimilarityIndexMeasure")()(t, u),
    ),
    of_tensors("piq", "`ssim(t, u)`", lambda t, u: get("piq:ssim")(t, u)),
    of_tensors("pytorch-msssim", "`ssim(255 * t, 255 * u)`", lambda t, u: get("pytorch_msssim:ssim")(255 * t, 255 * u)),
    of_tensors("pytorch-msssim", "`ssim(t, u)`", lambda t, u: get("pytorch_msssim:ssim")(t, u)),
    of_tensors("kornia", "`metrics.ssim(t, u, 11).mean()`", lambda t, u: get("kornia.metrics:ssim")(t, u, 11).mean()),
    of_tensors(
        "kornia",
        'the same with `padding="valid"`',
        lambda t, u: get("kornia.metrics:ssim")(t, u, 11, padding="valid").mean(),
    ),
    of_tensors("pytorch-ignite", "`SSIM(data_range=1.0)`", ignite("SSIM")),
    of_pair("dm-pix", "`ssim(x / 255, y / 255)`", lambda x, y: get("dm_pix:ssim")(unit(x), unit(y))),
    of_pair("sewar", "`full_ref.ssim(y, x)[0]`", lambda x, y: get("sewar.full_ref:ssim")(y, x)[0]),
    of_tensors("pyiqa", '`create_metric("ssim")(t, u)`', pyiqa("ssim")),
    of_tensors("pyiqa", '`create_metric("ssimc")(t, u)`', pyiqa("ssimc")),
    of_tensors(
        "monai",
        "`SSIMMetric(spatial_dims=2)(t, u).mean()`",
        lambda t, u: get("monai.metrics:SSIMMetric")(spatial_dims=2)(t, u).mean(),
    ),
]
PSNR = [
    of_pair(
        "scikit-image",
        "`peak_signal_noise_ratio(x, y)`",
        lambda x, y: get("skimage.metrics:peak_signal_noise_ratio")(y, x),
    ),
    of_tensors(
        "torchmetrics",
        "`PeakSignalNoiseRatio(data_range=1.0)(t, u)`",
        lambda t, u: get("torchmetrics.image:PeakSignalNoiseRatio")(data_range=1.0)(t, u),
    ),
    of_tensors(
        "torchmetrics",
        "the same with `dim=(1, 2, 3)`",
        lambda t, u: get("torchmetrics.image:PeakSignalNoiseRatio")(data_range=1.0, dim=(1, 2, 3))(t, u),
    ),
    of_tensors("piq", "`psnr(t, u)`", lambda t, u: get("piq:psnr")(t, u)),
    of_tensors("kornia", "`metrics.psnr(t, u, 1.0)`", lambda t, u: get("kornia.metrics:psnr")(t, u, 1.0)),
    of_tensors("pytorch-ignite", "`PSNR(data_range=1.0)`", ignite("PSNR")),
    of_pair("dm-pix", "`psnr(x / 255, y / 255)`", lambda x, y: get("dm_pix:psnr")(unit(x), unit(y))),
    of_pair("sewar", "`full_ref.psnr(y, x)`", lambda x, y: get("sewar.full_ref:psnr")(y, x)),
    of_tensors("pyiqa", '`create_metric("psnr")(t, u)`', pyiqa("psnr")),
    of_tensors(
        "monai",
        "`PSNRMetric(max_val=1.0)(t, u).mean()`",
        lambda t, u: get("monai.metrics:PSNRMetric")(max_val=1.0)(t, u).mean(),
    ),
    of_pair("opencv-python-headless", "`PSNR(x, y)`", lambda x, y: get("cv2:PSNR")(x, y)),
    of_pair("opencv-python-headless", "`PSNR(x / 255, y / 255)`", lambda x, y: get("cv2:PSNR")(unit(x), unit(y))),
]


def lpips_rows(folder: Path) -> list[Row]:
    """LPIPS on a trunk of random weights, saved with the heads; the published trunk is a download of its own."""
    import torch

    torch.manual_seed(0)
    model = get("lpips:LPIPS")(net="alex", pnet_rand=True, verbose=False).eval()
    layers = get("torchvision.models:alexnet")(weights=None).features.state_dict()
    trunk = dict(zip((f"features.{name}" for name in layers), model.net.state_dict().values(), strict=True))
    torch.save(trunk, folder / "alexnet.pth")
    torch.save({key: value for key, value in model.state_dict().items() if key.startswith("lin")}, folder / "heads.pth")
    return [
        of_tensors(
            "lpips", '`LPIPS(net="alex")(t, u, normalize=True)`', lambda t, u: model(t, u, normalize=True).mean()
        ),
        of_tensors("lpips", "the same without `normalize`", lambda t, u: model(t, u).mean()),
    ]


def sets(x: np.ndarray, y: np.ndarray, picture: Pictures) -> dict[str, dict[str, Any]]:
    """Distances of vectors float64 [N,D] twice; what networks are fed of a picture uint8 [1,H,W,3]: [299,299,3]."""
    import torch

    def statistics() -> list[np.ndarray]:
        return [part for vectors in (x, y) for part in (vectors.mean(0), np.cov(vectors, rowvar=False))]

    def torch_fidelity(name: str) -> Any:
        return importlib.import_module(f"torch_fidelity.{name}")

    def fidelity_kid(vectors: list[Any]) -> float:
        options = {"kid_subset_size": len(x), "kid_subsets": 1, "verbose": False}
        return torch_fidelity("metric_kid").kid_features_to_metric(*vectors, **options)[
            "kernel_inception_distance_mean"
        ]

    def fidelity_fid(vectors: list[Any]) -> float:
        metric = torch_fidelity("metric_fid")
        both = [metric.fid_features_to_statistics(one) for one in vectors]
        return metric.fid_statistics_to_metric(*both, False)["frechet_inception_distance"]

    def fidelity_fed() -> np.ndarray:
        resize = get("torch_fidelity.interpolate_compat_tensorflow:interpolate_bilinear_2d_like_tensorflow1x")
        return resize(255 * tensor(picture), (299, 299), align_corners=False)[0].permute(1, 2, 0).numpy()

    def plain_fed() -> np.ndarray:
        interpolate = torch.nn.functional.interpolate
        resized = 255 * interpolate(tensor(picture), (299, 299), mode="bilinear", align_corners=False)
        return resized[0].permute(1, 2, 0).numpy()

    vectors = [torch.tensor(x), torch.tensor(y)]
    calls: dict[str, dict[str, Callable[[], Any]]] = {
        "pytorch-fid": {
            "frechet": lambda: get("pytorch_fid.fid_score:calculate_frechet_distance")(*statistics()),
            "fed": plain_fed,
        },
        "clean-fid": {
            "frechet": lambda: get("cleanfid.fid:frechet_distance")(*statistics()),
            "kernel": lambda: get("cleanfid.fid:kernel_distance")(x, y),
            "fed": lambda: get("cleanfid.resize:build_resizer")("clean")(picture[0]),
        },
        "torch-fidelity": {
            "frechet": lambda: fidelity_fid(vectors),
            "kernel": lambda: fidelity_kid(vectors),
            "fed": fidelity_fed,
        },
    }
    return {package: {key: attempt(call) for key, call in of.items()} for package, of in calls.items()}


def attempt(call: Callable[[], Any]) -> Any:
    """A number, lists of them, or the name of what was raised."""
    try:
        found = np.asarray(call(), np.float64)
    except ImportError:
        return "not installed"
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        print(f"  {type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
        return type(error).__name__
    return found.item() if found.size == 1 else found.tolist()


def declare_operators() -> None:
    """torchvision built for another device does not load without two operators that no metric here needs."""
    import torch

    with contextlib.suppress(ImportError):
        try:
            import torchvision  # noqa: F401
        except RuntimeError:
            operators = torch.library.Library("torchvision", "FRAGMENT")
            for operator in ("nms", "qnms"):
                with contextlib.suppress(RuntimeError):
                    operators.define(f"{operator}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
            _KEPT.append(operators)


def main(folder: Path) -> None:
    """Measures every pair with every row."""
    warnings.simplefilter("ignore")
    declare_operators()
    get("torch:set_grad_enabled")(False)
    with np.load(folder / "pairs.npz") as stored:
        arrays = dict(stored)
    pairs = {name: arrays[name] for name in arrays if name not in ("x", "y")}  # uint8 [2,B,H,W,3]
    found: dict[str, Any] = {}
    for table, rows in {"SSIM": SSIM, "PSNR": PSNR, "LPIPS": lpips_rows(folder)}.items():
        found[table] = []
        for row in rows:
            print(f"{table}: {row.package}, {row.call}", file=sys.stderr)
            values = {
                name: attempt(partial(row.measure, *pair))
                for name, pair in pairs.items()
                if row.batches or pair.shape[1] == 1
            }
            found[table].append({"package": row.package, "call": row.call, "values": values})
    found["sets"] = sets(arrays["x"], arrays["y"], pairs["256"][1])
    names = {row["package"] for table in ("SSIM", "PSNR", "LPIPS") for row in found[table]} | set(found["sets"])
    versions = {name: importlib.metadata.version(name) for name in sorted(names | {"torch"})}
    (folder / "found.json").write_text(json.dumps(found))
    (folder / "versions.json").write_text(json.dumps(versions))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
