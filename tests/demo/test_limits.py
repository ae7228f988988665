"""What the page refuses before it decodes anything, and how it says so."""

import numpy as np
import pytest
from miniatures import photograph, truncate, write, write_bomb
from PIL import Image

from scan_jax.core.errors import UserError
from scan_jax.demo.serving import Limits, check_image, check_seed, read_auth, shown
from scan_jax.images.photograph import read_photograph

SMALL = Limits(pixels=10_000)


def refusal(path):
    with pytest.raises(UserError) as caught:
        check_image(str(path), "the photograph", SMALL)
    return shown(caught.value, str(path))


def test_photographs_pass(tmp_path):
    for name in ("a.png", "a.jpg", "a.webp", "a.tif", "a.bmp"):
        check_image(str(write(tmp_path / name, photograph(0, 40, 50))), "the photograph", SMALL)


def test_what_is_no_image(tmp_path):
    (tmp_path / "notes.png").write_text("not an image")
    assert refusal(tmp_path / "notes.png") == (
        "cannot read the photograph notes.png: it is no image, or of a kind that is not known here"
    )
    (tmp_path / "page.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n")  # starts a program
    assert "it is no image" in refusal(tmp_path / "page.png")
    (tmp_path / "empty.png").write_bytes(b"")
    assert "the file is empty" in refusal(tmp_path / "empty.png")


def test_many_pixels(tmp_path):
    said = refusal(write(tmp_path / "a.png", photograph(0, 100, 101)))
    assert said == "the photograph a.png, 101x100, has more than 10,000 pixels, the limit; crop it, or make it smaller"
    assert "has more than 10,000 pixels" in refusal(write_bomb(tmp_path / "b.png"))


def test_animations_and_uploads_that_were_thrown_away(tmp_path):
    frames = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in (0, 100, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert "moving.gif is an animation of 3 frames" in refusal(tmp_path / "moving.gif")
    assert "gone.png is no longer here" in refusal(tmp_path / "gone.png")


def test_seeds_and_limits_that_do_not_fit():
    for value in (None, -1, 0.5, 2**31, 1e300):
        with pytest.raises(UserError, match="whole number"):
            check_seed(value)
    assert [check_seed(value) for value in (0, 7.0, 2**31 - 1)] == [0, 7, 2**31 - 1]
    for name in Limits._fields:
        with pytest.raises(UserError, match="at least 1"):
            Limits(**{name: 0}).check()


def test_messages_name_files_as_people_know_them_and_carry_no_markup(tmp_path):
    path = tmp_path / "deep" / "x<b>.png"
    assert shown(UserError(f"cannot read {path}: <script>"), str(path), None) == (
        "cannot read x&lt;b&gt;.png: &lt;script&gt;"
    )


def test_a_truncated_file_is_said_in_one_line(tmp_path):
    path = write(tmp_path / "half.png", photograph(0, 90))
    truncate(path)
    check_image(str(path), "the photograph", SMALL)  # its header is whole
    with pytest.raises(UserError) as caught:
        read_photograph(str(path))
    said = shown(caught.value, str(path))
    assert str(tmp_path) not in said and "\n" not in said


def test_names_and_passwords_are_lines_of_a_file(tmp_path):
    path = tmp_path / "auth"
    path.write_text("ann:a:b\n\nbob: c \n")
    assert read_auth(str(path)) == [("ann", "a:b"), ("bob", " c ")]
    for content in (b"", b"ann\n", b"ann:\n", b":x\n", b"\xff\xfe:"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="--auth="):
            read_auth(str(path))
    with pytest.raises(UserError, match="No such file"):
        read_auth(str(tmp_path / "none"))
