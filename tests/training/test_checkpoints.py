"""Which checkpoints are kept and found, and that none is lost to a full disk, a read-only one or another mesh."""

import json
import logging
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from small_disks import small_disk
from toy_runs import assert_same, batches_from, like, opened, save, settings, state

from scan_jax.core import checkpoint_folder
from scan_jax.core.checkpoint_folder import Ledger
from scan_jax.core.errors import UserError
from scan_jax.core.run_layout import DAMAGE
from scan_jax.training.checkpoints import Checkpoints, Keep, read_state
from scan_jax.training.trainer import Trainer

DEVICES = 4


def on_disk(folder):
    return sorted(checkpoint_folder.committed_steps(folder))


def test_the_newest_those_of_an_interval_and_the_best_stay(tmp_path):
    with opened(tmp_path, latest=2, every=4, best=2) as checkpoints:
        for step, psnr in enumerate([20.0, 25.0, 21.0, 19.0, 24.0, 18.0, 22.0], start=1):
            save(checkpoints, step)
            checkpoints.score(step, psnr)
        assert checkpoints.steps() == on_disk(tmp_path) == [2, 4, 5, 6, 7]
    with opened(tmp_path, latest=2, every=4, best=2) as checkpoints:  # another start still knows the scores
        save(checkpoints, 8, 9, 10)
        assert checkpoints.steps() == on_disk(tmp_path) == [2, 4, 5, 8, 9, 10]
        checkpoints.score(9, 30.0)
        save(checkpoints, 11, 12)
        assert on_disk(tmp_path) == [2, 4, 8, 9, 11, 12]
        checkpoints.score(12, 17.0)
    noted = json.loads((tmp_path / "ledger.json").read_text())
    assert noted["psnr"] == {"2": 25.0, "4": 19.0, "9": 30.0, "12": 17.0}, "of those that are there"


def test_a_pinned_checkpoint_stays(tmp_path):
    with opened(tmp_path, latest=1) as checkpoints:
        save(checkpoints, 1)
        checkpoints.pin(1)
        save(checkpoints, 2)
    with opened(tmp_path, latest=1) as checkpoints:
        save(checkpoints, 3)
        assert on_disk(tmp_path) == [1, 3]
        with pytest.raises(ValueError, match="no checkpoint 2 to pin"):
            checkpoints.pin(2)


def test_scores_of_what_was_not_saved_or_measured_do_not_count_and_of_equals_the_later_is_the_better(tmp_path):
    with opened(tmp_path, latest=1, best=1) as checkpoints:
        save(checkpoints, 1)
        checkpoints.score(1, float("nan"))
        checkpoints.score(50, 90.0)
        save(checkpoints, 2)
        checkpoints.score(2, 20.0)
        save(checkpoints, 3)
        assert on_disk(tmp_path) == [2, 3]
    assert Ledger({1: 20.0, 2: 21.0, 3: 21.0, 4: float("nan")}).best([1, 2, 3, 4, 5]) == [3, 2, 1]


def test_a_checkpoint_is_read_by_its_step_all_of_it_or_a_part(tmp_path):
    with opened(tmp_path, latest=9) as checkpoints:
        save(checkpoints, 1, 2, 3)
        assert_same(checkpoints.restore(like(state(2))), state(3))
    assert_same(read_state(tmp_path, 2, like(state(2))), state(2))
    with pytest.raises(DAMAGE):
        read_state(tmp_path, 7, like(state(2)))
    ema = {"ema": checkpoint_folder.arrays_in(tmp_path, 2)["ema"]}
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), ema)
    part = checkpoint_folder.read(tmp_path, 2, shapes, partial=True)
    assert_same(part, {"ema": state(2).ema})
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(part))


def test_what_cannot_be_read_is_not_deleted_but_written_anew_when_its_step_comes(tmp_path, caplog):
    with opened(tmp_path) as checkpoints:
        save(checkpoints, 1, 2)
    metadata = tmp_path / "2" / "state" / "_METADATA"
    content = metadata.read_bytes()
    metadata.write_text("{")
    with opened(tmp_path) as checkpoints:
        assert_same(checkpoints.restore(like(state(1))), state(1))
        assert "/2 is damaged" in caplog.text and checkpoints.steps() == [1]
    metadata.write_bytes(content)  # as of a disk that was out of reach for a moment
    with opened(tmp_path) as checkpoints:
        assert_same(checkpoints.restore(like(state(1))), state(2))
    metadata.write_text("{")
    with opened(tmp_path) as checkpoints:
        checkpoints.restore(like(state(1)))
        save(checkpoints, 2, 3)
        assert checkpoints.steps() == on_disk(tmp_path) == [2, 3]
    assert_same(read_state(tmp_path, 2, like(state(1))), state(2))


def test_a_ledger_that_is_damaged_is_an_error(tmp_path):
    with opened(tmp_path) as checkpoints:
        save(checkpoints, 1, 2)
    (tmp_path / "ledger.json").write_text('{"psnr": []}')
    with pytest.raises(UserError, match=r"cannot read .*ledger\.json .*remove it"):
        Checkpoints(tmp_path, Keep(1))


def test_a_state_moves_between_meshes_bit_for_bit(toy_method, tmp_path):
    """All of it: step, parameters, statistics, optimisers, averages; over 2x2, one, 1x2, 4x1, one and 1x4 devices."""
    trainers = [
        Trainer(toy_method, settings(fsdp=fsdp, sharding=((".*", "fsdp"),)), 16, 0, jax.devices()[:count])
        for count, fsdp in ((4, 2), (1, 1), (2, 2), (4, 1), (1, 1), (4, 4))
    ]
    first = trainers[0]
    now, batches = first.begin(), first.prefetch(batches_from(0))
    for _ in range(2):
        now, _ = first.step_after(0)(now, {}, next(batches), first.key)
    batches.close()
    expected = jax.device_get(now)
    assert np.abs(jax.tree.leaves(expected.opt)[-1]).sum() > 0 and int(expected.step) == 2
    with opened(tmp_path / "0") as checkpoints, checkpoints.finished():
        checkpoints.save(2, now)
    for number, trainer in enumerate(trainers[1:], start=1):
        with opened(tmp_path / str(number - 1)) as before:
            moved = trainer.start(before)
        assert_same(jax.device_get(moved), expected)
        for leaf, sharding in zip(jax.tree.leaves(moved), jax.tree.leaves(trainer.shardings), strict=True):
            assert leaf.sharding.is_equivalent_to(sharding, leaf.ndim)
        with opened(tmp_path / str(number)) as after, after.finished():
            after.save(2, moved)
    spec = moved.params["critic"]["kernel"].sharding.spec
    assert spec == jax.sharding.PartitionSpec(None, None, None, "fsdp"), "the last mesh did split it"


@pytest.fixture
def quiet(caplog):
    """Orbax tells of failures in hundreds of lines."""
    for name in ("absl", "asyncio", "orbax"):
        caplog.set_level(logging.CRITICAL, name)


def told_in_the_background(checkpoints, step):
    """Saving goes well, for it only begins to write; what `check` says once the write has failed."""
    checkpoints.save(step, state(step))
    deadline = time.monotonic() + 30
    with pytest.raises(UserError) as told:
        while time.monotonic() < deadline:
            checkpoints.check()
            time.sleep(0.02)
    with pytest.raises(UserError), checkpoints.finished():
        pass
    return str(told.value)


# Answers that come after Orbax has given up find its event loop closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("lacking", ["bytes", "files"])
def test_a_background_write_that_finds_no_room_is_an_error(tmp_path, quiet, lacking, monkeypatch):
    """Too little for the look before the write to notice."""
    monkeypatch.setattr("scan_jax.training.checkpoints.SPACE_BESIDES", 0)
    with small_disk(tmp_path / "disk", "size=2m,nr_inodes=60", pytest.skip) as disk:
        with opened(disk.folder / "c") as checkpoints:
            save(checkpoints, 1)
            fillers = disk.fill(leave=8192) if lacking == "bytes" else disk.fill_with_files(leave=3)
            told = told_in_the_background(checkpoints, 2)
            assert "No space left on device; put that right and run the same command again" in told
            assert "\n" not in told
        assert on_disk(disk.folder / "c") == [1]
        for path in fillers:
            path.unlink()
        with opened(disk.folder / "c") as checkpoints:
            assert_same(checkpoints.restore(like(state(1))), state(1))
            save(checkpoints, 2)
            assert on_disk(disk.folder / "c") == [1, 2]


def test_a_disk_that_turns_read_only_is_an_error(tmp_path, quiet):
    with small_disk(tmp_path / "disk", "size=2m", pytest.skip) as disk:
        with opened(disk.folder / "c") as checkpoints:
            save(checkpoints, 1)
            disk.remount("ro")
            said = r"cannot write a checkpoint to .*: Read-only file system; put that right"
            with pytest.raises(UserError, match=said):
                save(checkpoints, 2)
        with pytest.raises(UserError, match=r"cannot write .*: Read-only file system"):
            Checkpoints(disk.folder / "c", Keep(1))
        disk.remount("rw")
        with opened(disk.folder / "c") as checkpoints:
            assert checkpoints.steps() == [1]
            assert_same(checkpoints.restore(like(state(1))), state(1))
            save(checkpoints, 2)
            assert on_disk(disk.folder / "c") == [1, 2]


def test_a_place_is_the_run_folder_or_another_and_what_a_bucket_needs_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checkpoint_folder.place(Path("run"), "") == tmp_path / "run" / "checkpoints"
    for elsewhere in (f"{tmp_path}/there", f"file://{tmp_path}/there"):
        assert checkpoint_folder.place(tmp_path / "run", elsewhere) == tmp_path / "there"
    for elsewhere in ("runs/x", "s3://bucket/x", "file://relative"):
        with pytest.raises(UserError, match=r"must be an absolute folder or gs://BUCKET/FOLDER"):
            checkpoint_folder.place(tmp_path, elsewhere)
    monkeypatch.setattr(checkpoint_folder, "NEEDED", ("gcsfs_is_not_there",))
    with pytest.raises(UserError, match=r"needs gcsfs_is_not_there; pip install 'scan_jax\[gcs\]'"):
        checkpoint_folder.place(tmp_path, "gs://bucket/x")
    monkeypatch.setattr(checkpoint_folder, "NEEDED", ())
    with pytest.raises(UserError, match=r"must name a folder of the bucket"):
        checkpoint_folder.place(tmp_path, "gs://bucket")
    assert str(checkpoint_folder.place(tmp_path, "gs://bucket/runs/x")) == "gs://bucket/runs/x"
