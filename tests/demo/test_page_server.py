"""The page's server, asked by programs: many at once, wickedly, and with all sorts of files. No browser is needed."""

import concurrent.futures
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from miniatures import photograph, truncate, write, write_bomb
from page_servers import WATCHED, serving, write_bundle
from PIL import Image

from scan_jax import Inpainter

httpx, gradio_client = map(pytest.importorskip, ("httpx", "gradio_client"))  # Gradio brings both
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # those of Gradio's client are not ours
]
MANY = 12
OUTSIDE = (Path(__file__).parents[2] / "pyproject.toml", Path("/etc/passwd"))


def connect(server, folder):
    return gradio_client.Client(server.address, verbose=False, download_files=str(folder), analytics_enabled=False)


def hole_file(folder, shape, seed=0):
    hole = np.zeros(shape, np.uint8)
    row, column = np.random.default_rng(seed).integers(0, min(shape) // 2, 2)
    hole[row : row + shape[0] // 3, column : column + shape[1] // 3] = 255
    return write(folder / f"hole{seed}.png", hole)


def ask(client, path, hole, **changes):
    """The endpoint's answer: result pixels, the hole, and the note."""
    file = gradio_client.handle_file
    given = {"photograph": file(str(path)), "hole": file(str(hole)) if hole else None, "painted": None, **changes}
    slider, download, hole_download, note = client.predict(**given, api_name="/fill")
    assert len(slider) == 2
    names = [found["value"] if isinstance(found, dict) else found for found in (download, hole_download)]
    return [np.asarray(Image.open(name)) for name in names], note, Path(names[0]).name


def assert_answers(pixels, path, hole):
    """The photograph's own known pixels, and something else in its hole."""
    original, inside = np.asarray(Image.open(path).convert("RGB")), np.asarray(Image.open(hole)) > 0
    result, found = pixels
    np.testing.assert_array_equal(found > 0, inside)
    np.testing.assert_array_equal(result[~inside], original[~inside])
    assert (result[inside] != original[inside]).mean() > 0.5


def test_many_at_once_get_each_their_own(plain_page, tmp_path):
    """Other sizes, other photographs, other holes; and what was filled among others is what is filled alone."""
    cases = []
    for i in range(MANY):
        shape = (40 + 8 * (i % 3), 48 + 8 * (i % 2))
        cases.append((write(tmp_path / f"p{i}.png", photograph(i, *shape)), hole_file(tmp_path, shape, i)))
    clients = [connect(plain_page, tmp_path / f"client{i}") for i in range(MANY)]
    with concurrent.futures.ThreadPoolExecutor(MANY) as pool:
        answers = list(pool.map(lambda client, case: ask(client, *case), clients, cases))
    for (pixels, note, name), (path, hole) in zip(answers, cases):
        assert_answers(pixels, path, hole)
        assert name == f"{path.stem}_filled.png"
        assert "filled in" in note
    for i in (0, MANY - 1):
        alone, _, _ = ask(clients[0], *cases[i])
        np.testing.assert_array_equal(alone[0], answers[i][0][0])
    if Path("/proc/self/status").exists():
        assert plain_page.peak_megabytes < 2000


@pytest.fixture(scope="module")
def client(plain_page, tmp_path_factory):
    return connect(plain_page, tmp_path_factory.mktemp("client"))


def refusal(client, path, hole=None, **changes):
    with pytest.raises(gradio_client.exceptions.AppError) as caught:
        ask(client, path, hole, **changes)
    message = str(caught.value)
    assert "Traceback" not in message and "/tmp" not in message
    return message


def test_bad_files_and_settings_are_one_clear_line(client, tmp_path):
    hole = hole_file(tmp_path, (40, 40), 1)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    half = write(tmp_path / "half.png", photograph(0, 200))
    truncate(half)
    frames = [Image.fromarray(np.full((40, 40), value, np.uint8)) for value in (0, 100)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    black, big = (
        write(tmp_path / f"{side}.png", np.zeros((side, side, channels), np.uint8).squeeze())
        for side, channels in ((40, 1), (600, 3))
    )
    path = write(tmp_path / "a.png", photograph(0, 40))
    for given, where, message, changes in (
        (tmp_path / "notes.txt", hole, "cannot read the photograph notes.txt: it is no image", {}),
        (tmp_path / "empty.png", hole, "empty", {}),
        (half, hole, "cannot read the photograph half.png", {}),
        (tmp_path / "moving.gif", hole, "moving.gif is an animation", {}),
        (write_bomb(tmp_path / "bomb.png"), hole, "bomb.png", {}),
        (big, hole, "600x600, has more than 300,000 pixels", {}),
        (path, None, "there is no hole: paint over", {}),
        (path, black, "there is no hole: paint over", {}),
        (path, hole_file(tmp_path, (48, 48)), "the hole 48x48", {}),
        (path, hole, "the seed is a whole number", {"seed": -1}),
    ):
        assert message in refusal(client, given, where, **changes)


def test_it_still_works_after_all_that_and_the_whole_photograph_may_be_hole(plain_page, client, tmp_path):
    path = write(tmp_path / "a.png", photograph(5, 40))
    white = write(tmp_path / "w.png", np.full((40, 40), 255, np.uint8))
    for hole, share in ((white, "100.0%"), (hole_file(tmp_path, (40, 40), 2), "%")):
        pixels, note, _ = ask(client, path, hole)
        assert_answers(pixels, path, hole)
        assert f"{share} of them hole" in note
    assert "Traceback" not in plain_page.said


def test_a_photograph_that_brings_its_hole(client, tmp_path):
    pixels = photograph(5, 48, 56)
    pixels[10:20, 30:40] = (255, 0, 255)
    path = write(tmp_path / "painted.png", pixels)
    (filled, hole), _, _ = ask(client, path, None, hole_from=" ff00ff ", grow=1, model="telea")
    assert (hole > 0).sum() == 10 * 10 + 4 * 10
    np.testing.assert_array_equal(filled[hole == 0], pixels[hole == 0])
    assert "the colour 00ff00; the nearest is" in refusal(client, path, hole_from="00ff00")
    assert "--hole_from is alpha, or a colour" in refusal(client, path, hole_from="pink")


def test_another_model_and_grain(client, tmp_path):
    path = write(tmp_path / "a.png", photograph(5, 96))
    hole = hole_file(tmp_path, (96, 96), 2)
    (filled, _), _, _ = ask(client, path, hole, model="telea", detail=["grain"])
    np.testing.assert_array_equal(filled, Inpainter.load("telea")(path, hole, grain=True))
    assert (filled != Inpainter.load("telea")(path, hole)).any()


def post_fill(server, photograph_field):
    """Asks without Gradio's client, which would upload a file; the events that come back."""
    config = httpx.get(f"{server.address}/config").json()
    [number] = [d["id"] for d in config["dependencies"] if d["api_name"] == "fill"]
    data = [photograph_field, None, photograph_field, "white", 0, "auto", "auto", "", [], "PNG, exact", "", 0, 0]
    body = {"data": data, "fn_index": number, "session_hash": "wicked"}
    joined = httpx.post(f"{server.address}/gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    with httpx.stream("GET", f"{server.address}/gradio_api/queue/data?session_hash=wicked", timeout=20) as stream:
        for line in stream.iter_lines():
            if "process_completed" in line:
                return json.loads(line.removeprefix("data: "))["output"]
    return None


@pytest.mark.parametrize("place", OUTSIDE, ids=lambda path: path.name)
def test_files_outside_are_neither_served_nor_read(plain_page, place):
    ups = "../" * 12
    for tail in (str(place), f"{ups}{str(place)[1:]}", f"/tmp/{ups}{str(place)[1:]}", str(place).replace("/", "%2F")):
        for route in ("/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/"):
            answer = httpx.get(f"{plain_page.address}{route}{tail}", follow_redirects=True)
            assert answer.status_code in (400, 403, 404), f"{route}{tail}"
            assert b"root:" not in answer.content and b"[project]" not in answer.content
    answer = post_fill(plain_page, {"path": str(place), "meta": {"_type": "gradio.FileData"}})
    assert "root:" not in str(answer)
    assert isinstance(answer, str) or answer["error"] is None or "not" in answer["error"]
    assert "data" not in answer or not answer["data"]


def test_nothing_is_fetched_on_a_callers_behalf(plain_page):
    for address in ("http://127.0.0.1:1/x.png", "https://192.0.2.1/x.png"):
        assert httpx.get(f"{plain_page.address}/gradio_api/file={address}").status_code == 403
        assert httpx.get(f"{plain_page.address}/gradio_api/proxy={address}").status_code == 403
        answer = post_fill(plain_page, {"path": address, "url": address, "meta": {"_type": "gradio.FileData"}})
        assert "fetches nothing from elsewhere" in str(answer)


def test_names_of_uploads_are_harmless_and_large_files_not_kept(plain_page):
    def upload(name, content):
        return httpx.post(f"{plain_page.address}/gradio_api/upload", files={"files": (name, content, "image/png")})

    for name in ("../../evil.png", "/etc/evil.png", "..\\..\\evil.png", "a\x00b.png", ".." * 300 + ".png"):
        answer = upload(name, b"\x89PNG")
        if answer.status_code == 200:
            [path] = answer.json()
            assert "scan_jax_demo_" in path and ".." not in Path(path).parts
        else:
            assert answer.status_code in (400, 413, 422)
    assert upload("a.png", bytes(2_100_000)).status_code == 413
    files = [("files", (f"{i}.png", bytes(1_900_000), "image/png")) for i in range(12)]
    answer = httpx.post(f"{plain_page.address}/gradio_api/upload", files=files)  # each would pass
    assert (answer.status_code, answer.text) == (413, "a request brings at most 18 MB")


def test_the_label_network_says_that_it_needs_labels(label_page, tmp_path):
    client = connect(label_page, tmp_path / "client")
    path, hole = write(tmp_path / "a.png", photograph(0, 40)), hole_file(tmp_path, (40, 40))
    none = {"labels": None, "painted_labels": None}
    assert "upload a PNG whose pixel values are the classes 0 to 18" in refusal(client, path, hole, **none)
    colour = gradio_client.handle_file(str(write(tmp_path / "colour.png", photograph(0, 40))))
    assert "is a colour image" in refusal(client, path, hole, **{**none, "labels": colour})
    right = gradio_client.handle_file(str(write(tmp_path / "l.png", np.full((40, 40), 13, np.uint8))))
    pixels, _, _ = ask(client, path, hole, **{**none, "labels": right})
    assert_answers(pixels, path, hole)
    files = {name: gradio_client.handle_file(str(file)) for name, file in (("photograph", path), ("hole", hole))}
    job = client.submit(**files, **none | {"labels": right}, painted=None, steps=2, api_name="/fill")
    job.result()
    before, after = (note for *_, note in job.outputs())
    assert before.startswith("A preview: ") and after.startswith("40x40 pixels")


def test_the_next_page_clears_up_after_a_killed_one_asks_for_passwords_and_leaves_nothing(tmp_path, caches):
    pytest.importorskip("gradio")
    bundle, temporary = write_bundle(tmp_path / "bundle", "scan"), tmp_path / "temporary"
    temporary.mkdir()
    with serving(bundle, caches, "--host=0.0.0.0", TMPDIR=str(temporary)) as killed:
        assert "give names and passwords with --auth=FILE" in killed.said
        killed.process.kill()
        killed.process.wait()
    [left] = temporary.glob("scan_jax_demo_*")
    (tmp_path / "auth").write_text("ann:secret\n")
    flags = ("--host=0.0.0.0", f"--auth={tmp_path / 'auth'}", "--allow_host", "page.example")
    with serving(bundle, caches, *flags, TMPDIR=str(temporary)) as server:
        [used] = temporary.glob("scan_jax_demo_*")
        assert used != left and "--auth=FILE" not in server.said
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        for host, status in (("page.example", 401), ("other.example", 403)):
            assert httpx.get(f"{address}/config", headers={"Host": host}).status_code == status
        entered = httpx.post(f"{address}/login", data={"username": "ann", "password": "secret"})
        assert httpx.get(f"{address}/config", cookies=dict(entered.cookies)).status_code == 200
        assert server.end() == 0
    assert not list(temporary.glob("scan_jax_demo_*"))
    assert "Traceback" not in server.said


def test_the_watch_itself_sees_what_leaves():
    """Otherwise the silence of the pages above would mean nothing."""
    code = "import socket\ntry: socket.getaddrinfo('elsewhere.invalid', 80)\nexcept OSError: pass"
    environment = {"PYTHONPATH": str(WATCHED), "PATH": ""}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == "ASKED ELSEWHERE: elsewhere.invalid\n"
