"""One page of each kind of network for all tests of this folder; they start when they are first asked for."""

import pytest
from page_servers import serving
from PIL import Image
from tiny_networks import write_bundle


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="session")
def plain_page(tmp_path_factory, caches):
    """A network that takes no labels."""
    pytest.importorskip("gradio", reason="the page needs Gradio")
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "plain", "scan")
    with serving(bundle, caches, "--max_pixels=300000", "--max_megabytes=2") as server:
        yield server
        assert "ASKED ELSEWHERE" not in server.said


@pytest.fixture(scope="session")
def label_page(tmp_path_factory, caches):
    """A network that wants the 19 classes of CelebAMask-HQ."""
    pytest.importorskip("gradio", reason="the page needs Gradio")
    bundle = write_bundle(tmp_path_factory.mktemp("bundles") / "labelled", "masked_attention")
    with serving(bundle, caches) as server:
        yield server
        assert "ASKED ELSEWHERE" not in server.said


@pytest.fixture(autouse=True)
def pillows_own_limit(monkeypatch):
    """The page lowers it for its whole process, which here is that of all tests."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
