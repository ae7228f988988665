"""The model card of a bundle: what the network is, what it has seen, how good it is and how it is used."""

from __future__ import annotations

import dataclasses
import importlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import BUNDLE, DATA, EVALUATION, ONNX, PROGRAM, read_sections
from scan_jax.images.palette import part_names
from scan_jax.inference.bundles.onnx_file import INPUTS, OUTPUT, Size
from scan_jax.inference.bundles.program import fixed_size, sizes_in_words
from scan_jax.inference.trained import GENERATOR, ROUNDED, Trained

log = logging.getLogger(__name__)
NOT_STATED = "not stated"

CARD = """# {title}

{paper}

A network that fills holes in photographs, written by `python -m scan_jax export`.

| | |
| --- | --- |
{facts}

## What it has seen

| | |
| --- | --- |
{data}

## What was measured

{measured}

## What goes in and comes out

- Image: float32 RGB in [0, 1], `[B,H,W,3]`; 0 in the hole. What stands there makes no difference.
- Known: float32 `[B,H,W,1]`, 1 = known pixel, 0 = hole. In files of holes white is the hole.
{labels}- Height and width are multiples of {stride}; `scan_jax` pads and resizes photographs of any size.
- Out comes the whole image, float32 RGB `[B,H,W,3]` in [0, 1]. Keep the photograph's own pixels where it is known.

## With scan_jax

```python
from scan_jax import Inpainter

inpainter = Inpainter.load("{name}")
filled = inpainter("photo.png", "hole.png"{labels_argument})  # uint8 RGB [H,W,3], any size; known pixels as they were
```
{program}{onnx}"""

# Without scan_jax: by JAX alone, or by ONNX.
WITHOUT = """
## With {by}

{about}

```python
{load}
photo = np.asarray(Image.open("photo.png").convert("RGB"), np.float32)[None] / 255  # [1,H,W,3]
hole = np.asarray(Image.open("hole.png").convert("L"))[None, ..., None] > 127  # [1,H,W,1], white is the hole
known = (~hole).astype(np.float32)
{labels}prediction = {call}  # [1,H,W,3]
filled = np.where(hole, prediction, photo)[0]
Image.fromarray(np.round(255 * filled).astype(np.uint8)).save("filled.png")
```
"""
ABOUT_JAX = f"""`{{program}}` is StableHLO as JAX {jax.__version__} writes it, for {{sizes}}, on {{platforms}}. It needs
`pip install "jax>={jax.__version__}" flatbuffers safetensors pillow`, and pictures whose sides are {{sides}}."""
LOAD_JAX = f"""import jax
import numpy as np
from jax import export
from PIL import Image
from safetensors.numpy import load_file

if jax.__version_info__ < {jax.__version_info__}:
    written = "{PROGRAM} was written by JAX {jax.__version__}, and this is JAX"
    raise SystemExit(f"{{written}} {{jax.__version__}}: install a newer one, or export the network anew under this one")
with open("{PROGRAM}", "rb") as file:
    fill = jax.jit(export.deserialize(bytearray(file.read())).call)"""
ABOUT_ONNX = """`{file}` is the same network, weights included, for one photograph of {size} pixels (height x width).
Its inputs are {inputs} as above, its output is `{output}`; ranges and layouts are metadata of the model.
It needs `pip install onnxruntime pillow`."""
LOAD_ONNX = f"""import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("{ONNX}", providers=["CPUExecutionProvider"])"""
LABELS = 'labels = np.asarray(Image.open("labels.png"), np.int32)[None]  # [1,H,W], a pixel\'s value is its class\n'


def render(trained: Trained, *, name: str, licence: str, platforms: tuple[str, ...], onnx: Size | None = None) -> str:
    """The card of a bundle whose folder is called `name`, in Markdown.

    `licence` is that of the weights, or empty where nothing was said; `platforms` are those of the StableHLO program,
    and `onnx` is the height and width that the ONNX file is for, none where there is none.
    """
    section, classes = trained.config["method"], trained.method.num_labels
    named = ", ".join(f"{index} {part}" for index, part in enumerate(part_names(classes)) if part != str(index))
    size = fixed_size(trained.config)
    about_jax = ABOUT_JAX.format(
        program=PROGRAM,
        platforms=", ".join(platforms),
        sizes=sizes_in_words(size),
        sides=f"{size} pixels" if size else f"multiples of {trained.method.stride}",
    )
    call_jax = f'fill(load_file("{BUNDLE}"), photo * known, known{", labels" * bool(classes)})'
    code = {"labels": LABELS if classes else ""}
    with_jax = WITHOUT.format(by="JAX alone", about=about_jax, load=LOAD_JAX, call=call_jax, **code)
    labels = f"- Labels: int32 `[B,H,W]`, classes 0 to {classes - 1}{': ' * bool(named)}{named}.\n"
    return CARD.format(
        program=with_jax if platforms else "",
        onnx=WITHOUT.format(by="ONNX", load=LOAD_ONNX, **_by_onnx(onnx, classes), **code) if onnx else "",
        stride=trained.method.stride,
        title=f"{name}: {section['name']}",
        name=name,
        paper=_paper(section["name"]),
        facts=_rows(_facts(trained, licence)),
        data=_rows(_data(trained)),
        measured=_measured(trained),
        labels=labels if classes else "",
        labels_argument=', labels="labels.png"' if classes else "",
    )


def _by_onnx(size: Size, classes: int) -> dict[str, str]:
    """What the file takes, and the call."""
    names = INPUTS if classes else INPUTS[:2]
    inputs = ", ".join(f"`{name}`" for name in names[:-1]) + f" and `{names[-1]}`"
    seen = '{"image": photo * known, "known": known' + ', "labels": labels' * bool(classes) + "}"
    about = ABOUT_ONNX.format(file=ONNX, size=f"{size[0]}x{size[1]}", inputs=inputs, output=OUTPUT)
    return {"about": about, "call": f'session.run(["{OUTPUT}"], {seen})[0]'}


def _paper(method: str) -> str:
    """What the method's module says of itself."""
    text = importlib.import_module(f"scan_jax.methods.{method}").__doc__ or method
    return text.strip().splitlines()[0]


def _facts(trained: Trained, licence: str) -> dict[str, str]:
    count = sum(leaf.size for leaf in jax.tree.leaves(trained.variables.params[GENERATOR]))
    section = {key: value for key, value in trained.config["method"].items() if key not in ("name", "features")}
    rounded = f", rounded to {trained.noted[ROUNDED]} after they were measured" if ROUNDED in trained.noted else ""
    return {
        "Method": f"`{trained.config['method']['name']}`",
        "Settings": f"`{json.dumps(section)}`",
        "Parameters": f"{count:,} (generator alone)" + rounded,
        "Hash of the parameters": f"`{trained.identity}`",
        "Steps of training": f"{trained.step:,}" if trained.step else "not known",
        "Trained at": f"{trained.size} pixels, the short side",
        "Licence of the weights": licence or NOT_STATED,
    }


def _data(trained: Trained) -> dict[str, str]:
    """What the run noted of its data; else what its config asks for."""
    noted = _noted(trained.folder / DATA)
    if noted:
        rows = {"train": "Trained on", "held_out": "Held out, never trained on", "holes": "Holes of the test"}
        found = {rows[key]: _with_hash(noted[key], noted.get(f"{key}_digest")) for key in rows if key in noted}
    else:
        found = {"Data": _section(trained.config, "data")}
    return found | {"Holes in training": _section(trained.config, "holes")}


def _noted(path: Path) -> Mapping[str, Any]:
    try:
        return read_sections(path, "restore the file") if path.is_file() else {}
    except UserError as error:
        log.warning("%s cannot be read (%s), and is left out of the model card", path, error)
        return {}


def _with_hash(text: str, digest: str | None) -> str:
    return f"{text} (sha256 `{digest[:16]}`)" if digest else text


def _section(config: Mapping[str, Any], name: str) -> str:
    """A section of the config, without the places of files on the machine that trained."""
    told = {key: value for key, value in config.get(name, {}).items() if not key.endswith(("path", "_dir"))}
    return f"`{json.dumps(told)}`" if told else "not known"


def _measured(trained: Trained) -> str:
    """The newest table of this network."""
    found = newest(trained.folder, trained.step, trained.identity)
    if found is None:
        return "Nothing was measured of this network."
    return f"By `{found.command}`:\n\n{found.table}"


def _rows(facts: Mapping[str, str]) -> str:
    return "\n".join(f"| {name} | {text.replace('|', chr(92) + '|')} |" for name, text in facts.items())


SHORT = 12  # digits of a network's hash in a results file
GROUP = "standard/"  # of definitions; the others differ by a paper's habits


@dataclasses.dataclass(frozen=True)
class Measured:
    """A table, and how it came about."""

    command: str  # that measured
    table: str  # Markdown, with the protocol in a line below
    time: float  # when it was written, in seconds since 1970


def newest(folder: Path, step: int, identity: str) -> Measured | None:
    """The newest table of this very network, by step and hash of its generator: another's would say nothing of it."""
    found = [*_while_training(folder, step), *_by_evaluations(folder, identity)]
    return max(found, key=lambda one: one.time, default=None)


def _while_training(folder: Path, step: int) -> Iterator[Measured]:
    """The training command's own table."""
    path = folder / f"step_{step:08d}.md"
    if path.is_file():
        text = path.read_text(encoding="utf-8").strip()
        yield Measured(f"python -m scan_jax.main, after step {step}", text, path.stat().st_mtime)


def _by_evaluations(folder: Path, identity: str) -> Iterator[Measured]:
    """Those of the evaluation command."""
    for path in sorted(folder.glob(f"{EVALUATION}/*/results.json")):
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
            ours = [entry for entry in results["entries"] if entry["details"].get("parameters") == identity[:SHORT]]
            if ours:
                command = f"python -m scan_jax evaluate --run={ours[0]['details']['folder']}"
                if path.parent.name.partition("@")[0] != "own":
                    command += f" with the protocol {path.parent.name}"
                yield Measured(command, _table(results, ours), path.stat().st_mtime)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("%s cannot be read (%s), and is left out of the model card", path, error)


def _table(results: Mapping[str, Any], ours: list[Mapping[str, Any]]) -> str:
    """A row for each bucket of the network, alone and refined, and of the methods without training."""
    metrics = {name: metric for name, metric in results["metrics"].items() if name.startswith(GROUP)}
    sets = {name: metric for name, metric in results["metrics"].items() if metric["of"] == "set"}
    columns = [*metrics.items(), *((name, metric) for name, metric in sets.items() if name not in metrics)]
    entries = [*ours, *(entry for entry in results["entries"] if entry["kind"] == "baseline")]
    titles = [" ".join(filter(None, (metric["title"], metric["unit"]))) for _, metric in columns]
    lines = ["| " + " | ".join(["filled by", "hole", *titles]) + " |", "| --- |" + " ---: |" * (1 + len(titles))]
    for entry in entries:
        for bucket in entry["completion"]:
            values = [_value(entry, bucket, name, metric) for name, metric in columns]
            lines.append("| " + " | ".join([entry["name"], bucket, *values]) + " |")
    return "\n".join([*lines, "", results["protocol_line"]])


def _value(entry: Mapping[str, Any], bucket: str, name: str, metric: Mapping[str, Any]) -> str:
    """A mean, or the one value of a set; a dash where there is none."""
    of_images, of_sets = entry["completion"][bucket], entry["sets"].get(bucket, {})
    value = of_images[name].get("mean") if name in of_images else of_sets.get(name)
    return "–" if value is None else f"{float(value):.{metric['decimals']}f}"  # noqa: RUF001 (a dash)
