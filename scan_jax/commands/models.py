"""Lists what fills holes at once: the network that comes with the package, and what needs none.

    python -m scan_jax models

Each name stands for --run=NAME in `scan_jax inpaint`, `scan_jax demo` and `Inpainter.load`.
"""

from __future__ import annotations

from scan_jax.commands import cli

DEFAULT = "open"
MODELS = {  # those of `inference.inpainter`, which the other commands' --help cannot wait for
    "open": "SCAN, trained on openly licensed photographs: scratches, wires, posts, no objects; taken without --run",
    "harmonic": "Laplace's equation: as smooth as can be; for holes of any width",
    "biharmonic": "the biharmonic equation: slopes go on into the hole; for thin holes, skin, sky and walls",
    "navier_stokes": "OpenCV, Bertalmio et al. 2001: along the lines that meet the hole; the quickest",
    "telea": "OpenCV, Telea 2004: from the border inwards",
    "patchmatch": 'patches of the photograph, Barnes et al. 2009: texture; needs pip install "scan_jax[patchmatch]"',
}
NAMES = ", ".join(MODELS)


def main(argv: list[str]) -> int:
    """The command; its exit code."""
    cli.parser("models", __doc__).parse_args(argv)
    return cli.run(show)


def show() -> None:
    """Prints a line for each, and for public weights that were imported."""
    from scan_jax.weights import registry

    models = MODELS | {name: f"public weights, in {path}" for name, path in registry.imported_bundles().items()}
    width = max(map(len, models))
    for name, about in models.items():
        print(f"{name:<{width}}  {about}")
    print("\nOwn runs: --run=runs/NAME (its newest checkpoint), runs/NAME@best, runs/NAME@STEP, or an exported folder.")
    print("A network is good for photographs like those it was trained on (docs/using.md says more): demo, portraits64")
    print("know drawn portraits alone, faces64 and celeba aligned faces, camvid64 street frames with label maps.")
