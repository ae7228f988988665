"""The page in one file, opened in a browser as a person does: no server, no network, the strokes are filled."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_networks import MASKED_ATTENTION, PLAIN, small_trained

from scan_jax.core.errors import UserError
from scan_jax.inference.bundles import exporting, onnx_file, web_page

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RUNTIME = Path(os.environ.get("ONNXRUNTIME_WEB", Path(sys.prefix) / "node_modules" / "onnxruntime-web"))


def test_what_is_missing_is_said_before_anything_is_done(tmp_path):
    with pytest.raises(UserError, match=r"there is no .*package\.json: npm install onnxruntime-web@1"):
        exporting.require_possible(tmp_path / "out", (), None, tmp_path)
    for name in ("package.json", web_page.MODULE, web_page.WASM):
        (tmp_path / "web" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "web" / name).write_text('{"version": "1.2.3"}')
    with pytest.raises(UserError, match="label maps, which this network wants"):
        exporting.export(small_trained(MASKED_ATTENTION), tmp_path / "out", platforms=(), web=tmp_path / "web")
    page = web_page.make_page(b"model", 128, "a <net>", tmp_path / "web").decode()
    assert "a &lt;net&gt;" in page and "onnxruntime-web 1.2.3" in page and not re.search(r"{{|https?:", page)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a network that has learned nothing: it answers with the harmonic equation's filling."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None or not RUNTIME.is_dir():
        pytest.skip(
            f"needs chromium, and onnxruntime-web in {RUNTIME}: npm install --prefix {sys.prefix} onnxruntime-web"
        )
    folder, trained = tmp_path_factory.mktemp("page"), small_trained({**PLAIN, "prior": "harmonic"}, size=64)
    for name, array in trained.variables.params["generator"]["dec"]["rgb"].items():
        trained.variables.params["generator"]["dec"]["rgb"][name] = np.zeros_like(array)
    exporting.export(trained, folder / "net", platforms=(), onnx=(64, 64), web=RUNTIME)
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
        context.set_offline(True)
        opened = context.new_page()
        opened.problems, opened.asked, opened.folder = [], set(), folder
        opened.on("pageerror", lambda error: opened.problems.append(str(error)))
        opened.on("request", lambda request: opened.asked.add(request.url.partition(":")[0]))
        opened.set_default_timeout(90_000)
        opened.goto((folder / "net" / "fill.html").as_uri())
        yield opened
        browser.close()


def filled(page, pixels, start, end, brush=12):
    """What the page makes of a photograph with one stroke between two points, shares of its sides."""
    Image.fromarray(pixels).save(page.folder / "photo.png")
    page.set_input_files("#photograph", page.folder / "photo.png")
    page.locator("#about_result", has_text=f"{pixels.shape[1]} x {pixels.shape[0]}").wait_for()
    page.locator("#brush").fill(str(brush))
    box = page.locator("#strokes").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=8)
    page.mouse.up()
    page.locator("#fill:not([disabled])").click()
    page.locator("#about_result", has_text="filled in").wait_for()
    with page.expect_download() as coming:
        page.click("#download")
    coming.value.save_as(page.folder / "filled.png")
    count = int(re.match(r"(\d+) pixels filled in", page.inner_text("#about_result"))[1])
    return np.asarray(Image.open(page.folder / "filled.png").convert("RGB")), count


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_at_the_networks_own_size_the_answer_is_that_of_the_file(page):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    found, count = filled(page, pixels, (0.3, 0.4), (0.7, 0.5))
    hole = (found != pixels).any(axis=2)
    assert 0.9 * count < hole.sum() <= count and 300 < count < 1500
    known = (~hole).astype(np.float32)[None, ..., None]
    model = (page.folder / "net" / "fill.onnx").read_bytes()
    answer = onnx_file.run_onnx(model, pixels[None].astype(np.float32) / 255 * known, known)[0]
    off = np.abs(np.clip(255 * answer, 0, 255) - found)[hole]
    assert np.quantile(off, 0.9) < 2  # a pixel that was filled with its own colour counts as known here
    assert page.problems == [] and page.asked <= {"file", "blob", "data"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_larger_photograph_is_filled_by_windows_and_is_unchanged_elsewhere(page):
    down, across = np.mgrid[:300, :400]
    pixels = np.stack([across * 255 // 400, down * 255 // 300, (across + down) // 3], -1).astype(np.uint8)
    found, count = filled(page, pixels, (0.2, 0.3), (0.8, 0.7), brush=20)
    hole = (found != pixels).any(axis=2)
    assert count > 2000 and hole.sum() <= count
    rows, columns = np.nonzero(hole)
    assert columns.min() > 50 and columns.max() < 350 and rows.min() > 60 and rows.max() < 240
    assert np.abs(found.astype(int) - pixels).max() <= 3, "slopes are harmonic, so what was there comes back"
