"""The web page's picture in the README: a drawn portrait, a hole painted on it, and what a network fills in.

    python -m benchmarks.page_screenshot --run=runs/demo --out=docs/page.png [--width=1280]

Starts the page, presses Fill on its example in a real browser (Playwright, with a chromium on the path) and keeps what
is to be seen, as a PNG of 256 colours.
"""

from __future__ import annotations

import argparse
import io
import shutil
from typing import Literal

from PIL import Image

from benchmarks.page_load import serving


def main() -> None:
    """Writes the picture."""
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    flags.add_argument("--run", required=True)
    flags.add_argument("--out", required=True)
    flags.add_argument("--width", type=int, default=1280)
    flags.add_argument("--height", type=int, default=0, help="of the picture; 0 is all of the page")
    flags.add_argument("--dark", action="store_true")
    given = flags.parse_args()
    with serving(given.run) as (address, _):
        taken = Image.open(io.BytesIO(_take(address, given))).convert("RGB")
    colours = taken.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2)
    taken.quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG).save(given.out, optimize=True)
    print(f"wrote {given.out}, {taken.width}x{taken.height}")


def _take(address: str, given: argparse.Namespace) -> bytes:
    """A PNG."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        browser = running.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        scheme: Literal["dark", "light"] = "dark" if given.dark else "light"
        page = browser.new_page(viewport={"width": given.width, "height": given.height or 900}, color_scheme=scheme)
        page.goto(address)
        page.locator("#painter canvas").first.wait_for()
        page.wait_for_timeout(2000)  # until the strokes are on it
        page.locator("#fill").click()
        page.get_by_text("filled in").wait_for(timeout=120_000)
        page.wait_for_timeout(1500)
        page.evaluate("window.scrollTo(0, 0)")
        shot = page.screenshot(full_page=not given.height)
        browser.close()
    return shot


if __name__ == "__main__":
    main()
