"""One file that fills holes in a browser: the page, onnxruntime for browsers, and the network.

It is opened by a double click, asks no server and needs no network; the photograph never leaves the machine.
"""

from __future__ import annotations

import base64
import html
import json
import re
from importlib import resources
from pathlib import Path

from scan_jax.core.errors import UserError
from scan_jax.images.contact_sheet import TINT

TESTED = "1.30.0"
MODULE, WASM = "dist/ort.wasm.bundle.min.mjs", "dist/ort-wasm-simd-threaded.wasm"


def require_runtime(runtime: Path) -> None:
    """Looks before minutes of work; a UserError where this is no onnxruntime-web."""
    if missing := [name for name in ("package.json", MODULE, WASM) if not (runtime / name).is_file()]:
        raise UserError(
            f"--web puts onnxruntime-web into the page, and there is no {runtime / missing[0]}: npm install "
            f"onnxruntime-web@{TESTED}, and --web=FOLDER/node_modules/onnxruntime-web if you did so in another folder"
        )


def make_page(model: bytes, size: int, about: str, runtime: Path) -> bytes:
    """The page, in HTML.

    Args:
      model: an ONNX file from image [1,size,size,3] and known [1,size,size,1] to filled [1,size,size,3].
      size: height and width in pixels.
      about: what the network is, in a few words.
      runtime: the folder of onnxruntime-web.

    Raises:
      UserError: that is no such folder.
    """
    require_runtime(runtime)
    folder = resources.files("scan_jax.inference.bundles") / "web"
    values = {name: (folder / name).read_text(encoding="utf-8") for name in ("worker.js", "filling.js", "page.js")}
    values |= {
        "tint": "#{:02x}{:02x}{:02x}".format(*(round(255 * share) for share in TINT)),
        "about": html.escape(about),
        "size": str(size),
        "version": json.loads((runtime / "package.json").read_text(encoding="utf-8"))["version"],
        "runtime": _text((runtime / MODULE).read_bytes()),
        "wasm": _text((runtime / WASM).read_bytes()),
        "model": _text(model),
    }
    page = (folder / "page.html").read_text(encoding="utf-8")
    return re.sub(r"{{(.*?)}}", lambda found: values[found[1]], page).encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
