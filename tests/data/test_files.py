"""Sources as people have them, and those that mean harm."""

import random
import tarfile
import zipfile

import miniatures
import pytest

from scan_jax.data.files import open_source


def names(source):
    return [file.name for file in open_source(str(source))]


def refused(match, source):
    with miniatures.refuses(match):
        open_source(str(source))


@pytest.fixture
def tree(tmp_path):
    return miniatures.write_photographs(tmp_path / "tree", ["b.png", "a/2.jpg", "a/10.jpg"], 64)


def test_a_folder_whose_links_are_followed_once(tree):
    (tree / ".DS_Store").write_bytes(b"x")
    assert names(tree) == ["a/10.jpg", "a/2.jpg", "b.png"]
    (tree / "a" / "loop").symlink_to(tree)
    (tree / "gone.png").symlink_to(tree / "nowhere.png")
    miniatures.write_members(tree / "more.zip", {"c.png": b"x"})  # beside photographs it is left alone
    assert names(tree) == ["a/10.jpg", "a/2.jpg", "b.png", "gone.png", "more.zip"]
    assert next(file for file in open_source(str(tree)) if file.name == "gone.png").size == 0


@pytest.mark.parametrize("name", ["x.zip", "X.ZIP"])
def test_a_zip_has_the_same_names_and_bytes(name, tree, tmp_path):
    files = open_source(str(miniatures.write_zip(tmp_path / name, tree)))
    assert [file.name for file in files] == names(tree)
    for file in files:
        with file.open() as opened:
            assert opened.read() == (tree / file.name).read_bytes()
        assert file.size == (tree / file.name).stat().st_size


def test_a_folder_of_zips_and_of_two_members_of_one_name_the_last_counts(tree, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    miniatures.write_zip(folder / "one.zip", tree)
    miniatures.write_members(folder / "two.zip", {"c.png": b"x"})
    (folder / "mapping.txt").write_text("x")
    members = ["one/a/10.jpg", "one/a/2.jpg", "one/b.png", "two/c.png"]
    assert names(folder) == ["mapping.txt", "one.zip", "two.zip", *members]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as written, pytest.warns(UserWarning, match="Duplicate"):
        written.writestr("a.png", b"first")
        written.writestr("a.png", b"second!")
    (file,) = open_source(str(tmp_path / "x.zip"))
    assert (file.size, file.open().read()) == (7, b"second!")


def test_lists_of_paths(tree, tmp_path):
    (tree / "list.txt").write_text("# two\nb.png\n\n  ./a/2.jpg  \n")
    assert names(tree / "list.txt") == ["a/2.jpg", "b.png"]
    (tree / "list.txt").write_text("\ufeffb.png\na/2.jpg\n", encoding="utf-8")  # as Windows begins a text
    assert names(tree / "list.txt") == ["a/2.jpg", "b.png"]
    (tmp_path / "list.flist").write_text(f"{tree}/b.png\n")
    (file,) = open_source(str(tmp_path / "list.flist"))
    assert file.path == tree / "b.png" and file.name == f"{tree}/b.png".lstrip("/")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"b.png\nc.png\nd.png\n", "names 2 files that are not there, such as c.png"),
        (b"# nothing\n", "is empty"),
        (b"b.png\n./b.png\n", "names 1 file in 2 lines; name each once"),
        (b"\xff\xfe\x00b", "cannot read the list .*; save it as UTF-8 text"),
    ],
)
def test_lists_that_are_wrong(content, match, tree):
    (tree / "list.txt").write_bytes(content)
    refused(match, tree / "list.txt")


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "..\\x.png", "\\x.png", "C:\\x", "C:/x"])
def test_a_name_that_leads_out(name, tmp_path):
    source = miniatures.write_members(tmp_path / "x.zip", {"a.png": b"x", name: b"x"})
    refused(r"x.zip has a member with the name .*which leads out of it", source)
    assert miniatures.files_below(tmp_path) == ["x.zip"]
    harmless = miniatures.write_members(tmp_path / "y.zip", {"a..b/c...png": b"x"})
    assert names(harmless) == ["a..b/c...png"]


def spoil(path, *places, to):
    """Overwrites bytes of a zip's first member; places below 0 are those of its entry in the index."""
    content = bytearray(path.read_bytes())
    for place in places:
        start = place if place > 0 else content.index(b"PK\x01\x02") - place
        content[start : start + len(to)] = to
    path.write_bytes(bytes(content))


def test_a_member_that_claims_gigabytes_or_less_than_it_has(tmp_path):
    """The index says 4 GB; the member has a few bytes."""
    source = miniatures.write_members(tmp_path / "x.zip", {"a.png": b"few"})
    spoil(source, -24, to=(2**32 - 2).to_bytes(4, "little"))  # the unpacked size in the index
    refused(r"a.png claims 4,294,967,294 bytes unpacked", source)
    # No more is unpacked than was said.
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as written:
        written.writestr("a.png", bytes(10**7))
    spoil(tmp_path / "x.zip", -24, to=(10).to_bytes(4, "little"))
    (file,) = open_source(str(tmp_path / "x.zip"))
    with pytest.raises(OSError, match=r"a.png in .*x.zip cannot be unpacked"):
        file.open()


def test_a_damaged_or_encrypted_member_is_broken_not_fatal(tmp_path):
    members = {"a.png": random.Random(0).randbytes(500), "b.png": b"whole"}
    source = miniatures.write_members(tmp_path / "x.zip", members)
    spoil(source, 200, to=bytes([source.read_bytes()[200] ^ 1]))
    damaged, whole = open_source(str(source))
    assert whole.open().read() == b"whole"
    with pytest.raises(OSError, match=r"a.png in .* cannot be unpacked: Bad CRC"):
        damaged.open()
    source = miniatures.write_members(tmp_path / "x.zip", {"a.png": b"secret"})
    spoil(source, 6, -8, to=b"\x01")  # the flag of encryption, of the member and in the index
    (file,) = open_source(str(source))
    with pytest.raises(OSError, match=r"cannot be unpacked: .*encrypted"):
        file.open()


def test_a_truncated_zip_and_nothing_at_all(tree, tmp_path):
    source = miniatures.write_zip(tmp_path / "x.zip", tree)
    miniatures.truncate(source, 0.7)
    size = source.stat().st_size
    refused(rf"x.zip is damaged or not wholly there \({size:,} bytes: .*download it again", source)
    refused(r"nothing at '.*nowhere'; give a folder", tmp_path / "nowhere")
    refused(r"--source is not set", "")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        *((name, rf"{name} cannot be read piece by piece: unpack it") for name in ("x.tar.gz", "x.tgz", "x.7z")),
        ("x.zip", r"x.zip is damaged or not wholly there"),
        ("x.tar", r"x.tar is damaged or not wholly there"),
        ("x.docx", r"x.docx is not a folder, a list"),
        ("x.json", r"x.json is no image, but may have annotations; draw holes from them: .* prepare holes --from="),
    ],
)
@pytest.mark.parametrize("content", [b"", b"<html>Quota exceeded</html>"])
def test_what_is_no_source(content, name, match, tmp_path):
    (tmp_path / name).write_bytes(content)
    refused(match, tmp_path / name)


def test_another_file_has_another_identity(tree, tmp_path):
    before = {file.name: file.identity() for file in open_source(str(tree))}
    miniatures.write(tree / "b.png", miniatures.photograph(5))
    after = {file.name: file.identity() for file in open_source(str(tree))}
    assert [name for name in before if before[name] != after[name]] == ["b.png"]
    one = open_source(str(miniatures.write_zip(tmp_path / "one.zip", tree)))
    two = open_source(str(miniatures.write_zip(tmp_path / "two.zip", tree)))
    assert [file.identity() for file in one] == [file.identity() for file in two]


def test_a_tar_is_read_as_it_lies_and_one_that_is_cut_meanwhile_is_broken(tree, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(tree, ".")
    *_, file = files = open_source(str(tmp_path / "x.tar"))
    assert [file.name for file in files] == names(tree)
    assert [file.open().read() for file in files] == [(tree / name).read_bytes() for name in names(tree)]
    miniatures.truncate(tmp_path / "x.tar", 0.1)
    with pytest.raises(OSError, match=r"x\.tar ends before it"):
        file.open()


def test_a_tar_whose_names_lead_out(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../x.png"))
    refused(r"x\.tar has a member with the name '\.\./x\.png', which leads out of it", tmp_path / "x.tar")
