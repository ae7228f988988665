"""Trains SCAN without SAN and CAN and with each reading of the paper, alike in all else, and prints PSNR by bucket.

    python -m benchmarks.attention_ablation --config=configs/faces64.py --workdir=runs/ablation --steps=400 \\
        --config.data.path=FACES --config.data.held_out_path=TEST_FACES --config.holes.path=HOLES
"""

from __future__ import annotations

from benchmarks import variants

VARIANTS: variants.Variants = {
    "neither": {"attention": ()},
    "weighted, mean": {"statistics": "weighted", "scale": "mean"},
    "product, mean": {"statistics": "product", "scale": "mean"},
    "weighted, sum": {"statistics": "weighted", "scale": "sum"},
    "product, sum": {"statistics": "product", "scale": "sum"},
    "weighted, mean, raw kernels": {"statistics": "weighted", "scale": "mean", "kernels": "raw"},
}


def main() -> None:
    """Trains what is missing, then prints the table."""
    given, overrides = variants.parse(__doc__.splitlines()[0], list(VARIANTS))
    variants.print_psnr(variants.train(VARIANTS, given, overrides), given.steps)


if __name__ == "__main__":
    main()
