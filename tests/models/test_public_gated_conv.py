"""The imported networks beside the public TensorFlow code that wrote them, at 256x256.

git clone https://github.com/JiahuiYu/generative_inpainting && git clone https://github.com/JiahuiYu/neuralgym
export SCAN_JAX_PUBLIC=$PWD
"""

import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from public_networks import public_clones

from scan_jax.core.run_layout import BUNDLE
from scan_jax.core.types import Example
from scan_jax.inference.trained import Trained
from scan_jax.losses.adversarial import hinge_critic
from scan_jax.weights import safetensors_tree

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent


def run(*command):
    """In a process of its own, where warnings are no errors."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """What the public networks said of an image, and the folder of their checkpoint's import."""
    clones = public_clones("generative_inpainting", "neuralgym")
    if run("-c", "import tensorflow").returncode:
        pytest.skip("needs TensorFlow: pip install tensorflow-cpu")
    folder = tmp_path_factory.mktemp("public")
    draw = np.random.default_rng(0)
    coarse = draw.random((1, 16, 16, 3), np.float32).repeat(16, axis=1).repeat(16, axis=2)
    image = np.float32(0.7 * coarse + 0.3 * draw.random(coarse.shape))
    known = np.ones((1, 256, 256, 1), np.float32)
    known[:, 60:190, 90:200], known[:, 200:, :37] = 0, 0
    np.savez(folder / "arrays.npz", image=image, known=known)
    done = run(HERE / "public_gated_conv.py", clones, folder / "arrays.npz", folder / "snap-0")
    assert done.returncode == 0, done.stderr
    done = run("-m", "scan_jax", "weights", "import", "gated_conv", folder / "snap-0.index", f"--out={folder / 'out'}")
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "arrays.npz")), folder / "out"


def trained(arrays, bundle):
    loaded = Trained.load(bundle)
    return loaded.method, loaded.variables, Example(jnp.asarray(arrays["image"]), jnp.asarray(arrays["known"]))


def relative_error(found, wanted):
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


def test_both_stages_the_critic_and_its_loss(public):
    arrays, bundle = public
    method, variables, example = trained(arrays, bundle)
    found = jax.jit(method.predict)(variables, example.observe(), jax.random.key(0))
    errors = {
        name: relative_error(found.intermediates[f"stage {stage}"], arrays[name])
        for stage, name in ((1, "coarse"), (2, "fine"))
    }
    assert min(arrays["coarse"].std(), arrays["fine"].std()) > 0.05, "something is painted"
    completion = jnp.where(example.known > 0.5, example.image, arrays["fine"])
    both, known = jnp.concatenate([example.image, completion]), jnp.concatenate([example.known] * 2)
    critic = {"params": variables.params["critic"], **variables.stats["critic"]}
    logits = jax.jit(lambda image, known: method.critic.apply(critic, image, known, train=False))(both, known)
    errors["critic"] = relative_error(np.reshape(logits, arrays["logits"].shape), arrays["logits"])
    judged = hinge_critic(*np.split(np.asarray(logits), 2))
    assert 0.5 * float(judged.mean()) == pytest.approx(float(arrays["d_loss"]), rel=1e-4)
    print("\nrelative errors: " + ", ".join(f"{name} {error:.1e}" for name, error in errors.items()))
    assert max(errors.values()) < 1e-4
    assert set(safetensors_tree.load(bundle / BUNDLE)[0]["params"]) == {"generator", "critic"}


def test_the_generators_losses(public):
    """On what both painted."""
    arrays, bundle = public
    method, variables, example = trained(arrays, bundle)
    arguments = ({"critic": variables.params["critic"]}, variables.stats, example, None, jax.random.key(0))
    _, aux = jax.jit(method.updates[0].loss)({"generator": variables.params["generator"]}, *arguments)
    l1 = 2 * sum(np.abs(arrays[stage] - arrays["image"]).mean() for stage in ("coarse", "fine"))
    assert float(aux.terms["l1"]) == pytest.approx(l1, rel=1e-5)
    assert float(aux.terms["adversarial"]) == pytest.approx(float(arrays["g_loss"]), rel=1e-4)
