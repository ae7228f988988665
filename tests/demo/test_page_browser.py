"""The page in a real browser, as a person uses it: upload, paint, fill, compare, download; wide and on a phone."""

import shutil
from urllib.parse import urlparse

import numpy as np
import pytest
from miniatures import photograph, write
from PIL import Image

from scan_jax.data.portraits import portrait

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium"),
    pytest.mark.filterwarnings("default"),  # those of Playwright are not ours
]
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
PATIENCE = 90_000  # milliseconds


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        arguments = ["--no-sandbox", "--enable-unsafe-swiftshader"]
        opened = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


class Visit:
    """A tab, the hosts that it asked, and what went wrong in it."""

    def __init__(self, browser, server, kind, folder):
        size = dict(zip(("width", "height"), SIZES[kind]))
        self.context = browser.new_context(viewport=size, accept_downloads=True)
        self.page, self.folder, self.hosts, self.problems = self.context.new_page(), folder, set(), []
        self.page.set_default_timeout(PATIENCE)
        self.page.on("request", lambda request: self.hosts.add(urlparse(request.url)[:2]))
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.address = urlparse(server.address).netloc
        self.page.goto(server.address)
        self.page.locator("#fill").wait_for()
        self.page.locator("#painter canvas").first.wait_for()

    def upload(self, label, path):
        self.page.locator(f'input[data-testid="{label}-upload-button"]').set_input_files(str(path))

    def stroke(self, selector, start, end):
        """With the mouse, between two points given as shares of the canvas."""
        canvas = self.page.locator(f"{selector} canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
        self.page.mouse.move(*points[0])
        self.page.mouse.down()
        self.page.mouse.move(*points[1], steps=12)
        self.page.mouse.up()

    def fill(self):
        """Presses the button, and waits for another note about the result than there is."""
        note = self.page.locator("#about_result")
        before = note.inner_text()
        self.page.locator("#fill").click()
        self.page.wait_for_function(
            "([selector, before]) => { const text = document.querySelector(selector)?.innerText ?? '';"
            " return text.includes('filled in') && text !== before }",
            arg=["#about_result", before],
        )
        return note.inner_text()

    def download(self, selector):
        with self.page.expect_download() as coming:
            self.page.locator(selector).first.click()
        path = self.folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path

    def assert_no_scrolling(self):
        width = self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width[0] <= width[1], "the page scrolls sideways"

    def end(self):
        """Nothing was asked of other hosts, and nothing went wrong."""
        self.context.close()
        inside = {scheme for scheme, _ in self.hosts} & {"data", "blob"}
        assert self.hosts - {(scheme, "") for scheme in inside} == {("http", self.address)}
        assert self.problems == []


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page in a new tab; at the end all of them are closed and nothing was wrong."""
    visits = []

    def open_page(server, kind):
        visits.append(Visit(browser, server, kind, tmp_path))
        return visits[-1]

    yield open_page
    for visit in visits:
        visit.end()


@pytest.fixture(params=SIZES)
def visit(request, opened, plain_page):
    return opened(plain_page, request.param)


def test_the_example_is_filled_at_once_and_the_result_is_to_be_seen(visit):
    assert "384x384 pixels" in visit.fill()
    visit.assert_no_scrolling()
    visit.page.wait_for_function(
        "() => { const { top, bottom } = document.querySelector('#result').getBoundingClientRect();"
        " return top >= 0 && bottom <= innerHeight }"
    )


def test_upload_paint_fill_compare_download(visit, tmp_path):
    """A JPEG with EXIF: known pixels come back byte for byte, painted ones are filled."""
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(photograph(1, 300, 400)).save(tmp_path / "mine.jpg", exif=exif, quality=92)
    original = np.asarray(Image.open(tmp_path / "mine.jpg"))
    visit.upload("Upload a photograph", tmp_path / "mine.jpg")
    visit.page.get_by_text("400x300 pixels").wait_for()
    visit.page.wait_for_timeout(1500)
    visit.stroke("#painter", (0.4, 0.5), (0.6, 0.5))
    note = visit.fill()
    assert "400x300 pixels" in note
    result_file, hole_file = visit.download("#download"), visit.download("#download_hole")
    assert result_file.name == "mine_filled.png"
    with Image.open(result_file) as image:
        assert image.getexif()[0x010F] == "a camera"
        result = np.asarray(image)
    hole = np.asarray(Image.open(hole_file)) > 0
    assert 0.005 < hole.mean() < 0.3
    assert hole[150, 200]
    np.testing.assert_array_equal(result[~hole], original[~hole])
    assert (result[hole] != original[hole]).mean() > 0.5


def test_strokes_outlast_other_polarities_and_can_be_undone(opened, plain_page, tmp_path):
    visit = opened(plain_page, "desktop")
    page, uploaded = visit.page, np.zeros((120, 160), np.uint8)
    uploaded[8:24, 8:36] = 255
    visit.upload("Upload a photograph", write(tmp_path / "mine.png", photograph(1, 120, 160)))
    page.get_by_text("160x120 pixels").wait_for()
    page.wait_for_timeout(1500)
    visit.stroke("#painter", (0.4, 0.5), (0.6, 0.5))
    page.locator("#advanced button").first.click()
    page.locator("#hole input[type=file]").set_input_files(str(write(tmp_path / "hole.png", uploaded)))
    page.get_by_text("tinted belongs").wait_for()
    for colour in ("black", "white"):
        page.get_by_label(colour).click()
        page.wait_for_timeout(1500)
    visit.stroke("#painter", (0.4, 0.7), (0.6, 0.7))
    found = []
    for undo in (False, True):
        if undo:
            page.locator("#painter button[aria-label=Undo]").click()
        visit.fill()
        found.append(np.asarray(Image.open(visit.download("#download_hole"))) > 0)
    assert all(hole[16, 20] and hole[60, 80] for hole in found)
    assert [hole[98, 80] for hole in found] == [True, False]


def test_another_photograph_leaves_no_result_and_a_bad_one_no_photograph(opened, plain_page, tmp_path):
    visit = opened(plain_page, "desktop")
    page, download = visit.page, visit.page.locator("#download")
    (tmp_path / "notes.txt").write_text("no image")
    first = write(tmp_path / "first.png", photograph(1, 60, 70))
    for name, note in ((first, "70x60 pixels"), (tmp_path / "notes.txt", "cannot read the photograph notes.txt")):
        page.locator("#example").click()
        page.get_by_text("The example, with").wait_for()
        page.wait_for_timeout(1500)
        visit.fill()
        assert download.is_enabled()
        visit.upload("Upload a photograph", name)
        page.get_by_text(note).wait_for()
        page.wait_for_function("document.querySelector('#result img') === null")
        assert download.is_disabled() and page.locator("#about_result").inner_text() == ""
    page.locator("#fill").click()
    page.get_by_text("there is no photograph yet").first.wait_for()
    page.locator("#go_on").click()
    page.get_by_text("there is no result to go on from").first.wait_for()


def test_going_on_from_a_result_the_brush_by_keys_and_cancel(opened, plain_page, tmp_path):
    visit = opened(plain_page, "desktop")
    page = visit.page
    visit.fill()
    first = np.asarray(Image.open(visit.download("#download")))
    page.locator("#go_on").click()
    page.get_by_text("384x384 pixels. Paint").wait_for()
    page.wait_for_timeout(1500)
    shares = []
    for keys in ("[[[[", "]]]]]]]]"):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(500)
        page.locator("#painter input[type=range]").wait_for(state="detached")
        visit.stroke("#painter", (0.4, 0.5), (0.6, 0.5))
        visit.fill()
        hole = np.asarray(Image.open(visit.download("#download_hole"))) > 0
        shares.append(hole.mean())
        np.testing.assert_array_equal(np.asarray(Image.open(visit.download("#download")))[~hole], first[~hole])
    assert shares[1] > 2 * shares[0] > 0
    visit.upload("Upload a photograph", write(tmp_path / "new.png", photograph(1, 211, 133)))  # to be compiled for
    page.get_by_text("133x211 pixels").wait_for()
    page.wait_for_timeout(1500)
    visit.stroke("#painter", (0.4, 0.5), (0.6, 0.5))
    page.locator("#fill").click()
    page.locator("#cancel").click()
    page.get_by_text("Cancelled.").wait_for()
    assert "133x211 pixels" in visit.fill()


def test_mistakes_are_said_on_the_page(visit, tmp_path):
    (tmp_path / "notes.txt").write_text("no image <img src=x onerror=alert(1)>")
    visit.upload("Upload a photograph", tmp_path / "notes.txt")
    visit.page.get_by_text("cannot read the photograph notes.txt").wait_for()
    visit.page.reload()
    visit.page.locator("#painter canvas").first.wait_for()
    visit.upload("Upload a photograph", write(tmp_path / "a.png", photograph(0, 60)))
    visit.page.get_by_text("60x60 pixels").wait_for()
    visit.page.locator("#fill").click()
    visit.page.get_by_text("there is no hole").wait_for()


DROP = """
async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 70, height: 50 });
  canvas.getContext("2d").fillRect(0, 0, 30, 50);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([blob], "dropped.png", { type: "image/png" }));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}
"""


def test_a_photograph_may_be_dropped_anywhere(opened, plain_page):
    page = opened(plain_page, "desktop").page
    page.evaluate(DROP)
    page.get_by_text("70x50 pixels").wait_for()


def test_the_label_map_fits_on_a_phone(opened, label_page):
    visit = opened(label_page, "phone")
    visit.page.locator("#label_painter canvas").first.wait_for()
    visit.assert_no_scrolling()


def test_labels_are_shown_repainted_and_looked_at(opened, label_page, tmp_path):
    visit = opened(label_page, "desktop")
    visit.page.locator("#label_painter canvas").first.wait_for()
    assert visit.page.locator(".legend li").count() == 19
    image, labels = portrait(0, 3, 96)
    visit.upload("Upload a photograph", write(tmp_path / "face.png", image))
    visit.page.get_by_text("96x96 pixels").wait_for()
    visit.upload("Upload a label map", write(tmp_path / "face_labels.png", labels))
    visit.page.wait_for_timeout(1500)
    visit.stroke("#painter", (0.4, 0.5), (0.6, 0.5))
    visit.fill()
    first = np.asarray(Image.open(visit.download("#download")))
    visit.stroke("#label_painter", (0.35, 0.5), (0.65, 0.5))
    visit.fill()
    second = np.asarray(Image.open(visit.download("#download")))
    hole = np.asarray(Image.open(visit.download("#download_hole"))) > 0
    np.testing.assert_array_equal(second[~hole], image[~hole])
    assert (first[hole] != second[hole]).any(), "what was painted on the label map made no difference"
    visit.page.locator("#attention button").first.click()
    visit.page.locator("#prepare_look").click()
    spot = visit.page.locator("#spot img").first
    spot.wait_for()
    box = spot.bounding_box()
    spot.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    visit.page.locator("#maps img").first.wait_for()
