"""Two processes keep, delete and restore the same checkpoints, also where one of them sees something else."""

import json
import subprocess

import pytest
from process_groups import PATIENCE, environment, free_address, start

pytestmark = pytest.mark.slow
PROGRAM = """
import contextlib, json, sys
import jax
jax.config.update("jax_num_cpu_devices", 1)
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]))
import numpy as np
from pathlib import Path
from scan_jax.core.distributed import fetch
from scan_jax.core.errors import UserError
from scan_jax.training import checkpoints as checkpoints_module
from scan_jax.core.distributed import broadcast_from_zero, everywhere
from scan_jax.training.checkpoints import Checkpoints, abstract
from scan_jax.training.checkpoints import Keep
from scan_jax.training.sharding import batched, make_mesh, replicated
from scan_jax.training.step import TrainState

index, folder = jax.process_index(), Path(sys.argv[3])
mesh = make_mesh(2)
places = TrainState(*([replicated(mesh)] * 4), {"generator": batched(mesh)})

def state(step):
    made = TrainState(np.int32(step), *[{"a": np.full(3, step, np.float32)}] * 3, {"generator": np.arange(8.0) + step})
    shardings = jax.tree.map(lambda at, part: jax.tree.map(lambda _: at, part), places, made)
    return jax.jit(lambda: made, out_shardings=shardings)(), shardings

def whole(state):
    return int(state.step), np.asarray(fetch(state.ema["generator"])).tolist()

told = {"text": broadcast_from_zero("ä" * 5000 if index == 0 else "other")}
told["everywhere"] = [everywhere(True), everywhere(index == 0)]
with contextlib.closing(Checkpoints(folder, Keep(latest=1, best=1))) as checkpoints:
    for step, psnr in ((1, 20.0), (2, 30.0), (3, 25.0)):
        with checkpoints.finished():
            checkpoints.save(step, state(step)[0])
        checkpoints.score(step, psnr if index == 0 else -psnr)  # the scores of process 0 count
    checkpoints.pin(2)
    told["kept"] = checkpoints.steps()
    read = checkpoints._read
    checkpoints._read = lambda like, step: None if (index, step) == (1, 3) else read(like, step)
    shapes, shardings = state(0)
    told["restored"] = whole(checkpoints.restore(abstract(shapes, shardings)))
    told["left"] = checkpoints.steps()
try:  # only process 0 looks whether there is room
    checkpoints_module.is_bucket = lambda folder: index > 0
    checkpoints_module.SPACE_FACTOR = 1e30
    checkpoints.save(9, state(9)[0])
except UserError as error:
    told["error"] = str(error)
print("TOLD" + json.dumps(told))
"""


def test_both_keep_and_restore_the_same(tmp_path):
    address, folder = free_address(), tmp_path / "checkpoints"
    words = [["-c", PROGRAM, address, index, folder] for index in range(2)]
    both = [start(one, environment(tmp_path / "cache"), subprocess.PIPE) for one in words]
    answers = [process.communicate(timeout=PATIENCE) for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(log for _, log in answers)
    for out, _ in answers:
        told = json.loads(out.partition("TOLD")[2].splitlines()[0])
        assert told["text"] == "ä" * 5000 and told["everywhere"] == [True, False], "what the first knows"
        assert told["kept"] == [2, 3]
        assert told["restored"] == [2, [float(value) for value in range(2, 10)]] and told["left"] == [2]
        assert "is full: a checkpoint takes 0.0 MB" in told["error"]
