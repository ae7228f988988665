"""One page of each kind of network for all tests of this folder; they start when they are first asked for."""

import pytest
from page_servers import serving, write_bundle
from PIL import Image


@pytest.fixture(scope="session")
def caches(tmp_path_factory):
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="session")
def plain_page(tmp_path_factory, caches):
    yield from page(tmp_path_factory, caches, "scan", "--max_pixels=300000", "--max_megabytes=2")


@pytest.fixture(scope="session")
def label_page(tmp_path_factory, caches):
    """A network that wants the 19 classes of CelebAMask-HQ."""
    yield from page(tmp_path_factory, caches, "masked_attention")


def page(tmp_path_factory, caches, name, *flags):
    pytest.importorskip("gradio")
    with serving(write_bundle(tmp_path_factory.mktemp("bundles") / name, name), caches, *flags) as server:
        yield server
        assert "ASKED ELSEWHERE" not in server.said


@pytest.fixture(autouse=True)
def pillows_own_limit(monkeypatch):
    """The page lowers it for its whole process, which here is that of all tests."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
