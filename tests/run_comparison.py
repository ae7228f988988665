"""Whether two run folders hold the same: scalars but for their timing, every other file, every bit of every array."""

import json
import re
from collections import Counter

import numpy as np

TIMING = ("images_per_second", "data_wait")
LEFT_OVER = re.compile(r"\.part$|tmp|^\.(?!lock$)")  # names that only a run in progress has; its lock stays


def compare(run, other):
    """Everything that differs, a line each."""
    return [
        *differences("scalars.jsonl", *(_timeless(folder) for folder in (run, other))),
        *_other_files(run, other),
        *_other_checkpoints(run, other),
    ]


def scalars(run):
    """The whole lines of scalars.jsonl."""
    path = run / "scalars.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("}\n")]


def _timeless(run):
    return [{name: value for name, value in line.items() if name not in TIMING} for line in scalars(run)]


def steps_missing_or_repeated(run, last):
    """Steps from 1 to the last of which the scalars tell not once, in a run that logs each."""
    steps = Counter(line["step"] for line in scalars(run) if "loss/generator" in line)
    wanted = range(1, last + 1)
    return [f"step {step} is in scalars.jsonl {steps[step]} times" for step in {*wanted, *steps} if steps[step] != 1]


def checkpoint_steps(run):
    """Steps with a commit file, and those without."""
    there = [path for path in run.glob("checkpoints/*") if path.name.isdigit()]
    whole = {path for path in there if (path / "commit_success.txt").exists()}
    return sorted(int(path.name) for path in whole), sorted(int(path.name) for path in {*there} - whole)


def _other_files(run, other):
    """Tables, pictures, curves, notes: whatever is not a checkpoint is the same in every byte."""
    ours, others = _files(run), _files(other)
    return differences("files", sorted(ours), sorted(others)) + [
        f"{name} differs" for name in sorted(ours & others) if (run / name).read_bytes() != (other / name).read_bytes()
    ]


def _files(run):
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    return {name for name in names if not re.match(r"checkpoints/\d+/|tensorboard/|scalars\.jsonl$", name)}


def _other_checkpoints(run, other):
    """Every array of every checkpoint: the same names, shapes, types and bits."""
    (ours, _), (others, unfinished) = checkpoint_steps(run), checkpoint_steps(other)
    found = differences("checkpoints", ours, others) + [f"checkpoint {step} is half written" for step in unfinished]
    for step in sorted({*ours} & {*others}):
        one, two = (arrays(folder / "checkpoints" / str(step) / "state") for folder in (run, other))
        found += differences(f"arrays of {step}", sorted(one), sorted(two))
        different = sorted(name for name in {*one} & {*two} if not _same_bits(one[name], two[name]))
        if different:
            found.append(f"{len(different)} of {len(one)} arrays of {step} differ: {different[:3]}")
    return found


def arrays(path):
    """All arrays of a checkpoint by name, in NumPy."""
    import jax
    import orbax.checkpoint as ocp

    handler = ocp.PyTreeCheckpointHandler()
    try:
        target = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), handler.metadata(path).tree)
        on_host = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), target)
        tree = handler.restore(path, args=ocp.args.PyTreeRestore(target, restore_args=on_host))
    finally:
        handler.close()
    return {jax.tree_util.keystr(name): np.asarray(leaf) for name, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _same_bits(one, other):
    return (one.shape, one.dtype, one.tobytes()) == (other.shape, other.dtype, other.tobytes())


def left_over(run):
    """Files and folders that only a run in progress may have."""
    return [f"left over: {path}" for path in run.rglob("*") if LEFT_OVER.search(path.name)]


def differences(what, one, other):
    """The first difference between two lists, if there is one."""
    if len(one) != len(other):
        odd = [x for x in one if x not in other] + [x for x in other if x not in one]
        return [f"{what}: {len(one)} of them and {len(other)}; {str(odd[:3])[:300]}"]
    first = next((pair for pair in zip(one, other) if pair[0] != pair[1]), None)
    return [f"{what}: {str(first[0])[:300]} and {str(first[1])[:300]}"] if first else []
