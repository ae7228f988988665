"""Trains SCAN without SAN or CAN, with each reading of the paper and in two stages, and prints PSNR by bucket.

    python -m benchmarks.attention_ablation --config=configs/faces64.py --workdir=runs/ablation --steps=400 \\
        --config.data.path=FACES --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import variants
from scan_jax.inference import trained as run_folder

VARIANTS: variants.Variants = {
    "neither": {"attention": ()},
    "SAN alone": {"attention": ("spatial",)},
    "CAN alone": {"attention": ("channel",)},
    "weighted, mean": {"statistics": "weighted", "scale": "mean"},
    "two stages": {"stages": 2},
    "product, mean": {"statistics": "product", "scale": "mean"},
    "weighted, sum": {"statistics": "weighted", "scale": "sum"},
    "product, sum": {"statistics": "product", "scale": "sum"},
    "weighted, mean, raw kernels": {"statistics": "weighted", "scale": "mean", "kernels": "raw"},
}


def main() -> None:
    """Trains what is missing, then prints the table."""
    given, overrides = variants.parse(__doc__.splitlines()[0], list(VARIANTS))
    runs = variants.train(VARIANTS, given, overrides)
    variants.print_psnr(runs, given.steps)
    print("largest |gamma| or |eta|: how far the modules have opened")
    for name, folders in runs.items():
        print(f"{name:28}{max(_widest_gate(folder) for folder in folders):9.3f}")


def _widest_gate(folder: Path) -> float:
    """The largest gate of a trained run, in size; 0 without the modules."""
    _, trained = run_folder.restore(folder)
    layers = trained.params["generator"]["dec"].values()
    gates = [abs(float(layer[name])) for layer in layers for name in ("gamma", "eta") if name in layer]
    return max(gates, default=0.0)


if __name__ == "__main__":
    main()
