"""EdgeConnect's and region normalisation's networks against the public PyTorch code, through our importers.

Random weights, the published widths, 256x256, one photograph; in training region normalisation takes two. The clones
lie in the folder $SCAN_JAX_PUBLIC; a test without its own is skipped:

    git clone https://github.com/knazeri/edge-connect && git clone https://github.com/geekyutao/RN
    SCAN_JAX_PUBLIC=$PWD python -m pytest -rP tests/models/test_public_edge_connect.py
"""

import jax
import numpy as np
import pytest
from public_networks import public_module
from torch_layers import to_numpy, to_torch, torch

from scan_jax.models.discriminators import PatchDiscriminator
from scan_jax.models.edge_connect import EdgeConnectGenerator
from scan_jax.models.region_norm import RegionNormGenerator
from scan_jax.weights import import_edge_connect, import_region_norm

pytestmark = pytest.mark.slow
SIZE = 256
CRITIC = PatchDiscriminator(input_range="unit")


def draw(channels, batch=1, seed=0):
    return np.random.default_rng(seed).random((batch, SIZE, SIZE, channels), np.float32)


def holes(batch=1):
    known = np.ones((batch, SIZE, SIZE, 1), np.float32)
    known[:, 60:170, 40:200] = 0
    known[0, 200:, :90] = 0
    return known


def randomize(network):
    """Weights that keep the size of a map; scales, shifts and biases that count."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, parameter[0].numel() ** -0.5)
            else:
                parameter.uniform_(-0.5, 0.5)
    return network


def run(network, *maps):
    """A pass of a public network on NHWC arrays; lists of activations come back as lists."""
    with torch.no_grad():
        found = network(*map(to_torch, maps))
    return to_numpy(found) if torch.is_tensor(found) else list(map(to_numpy, found[1]))


def error_of(name, found, wanted):
    error = float(np.linalg.norm(np.asarray(found) - wanted) / np.linalg.norm(wanted))
    print(f"{name}: relative error {error:.1e}, largest difference {np.abs(found - wanted).max():.1e}")
    return error


def close(name, found, wanted):
    assert error_of(name, found, wanted) < 1e-4


def judge_alike(name, variables, network, channels):
    """Every layer of a critic of ours and of the public one."""
    image = draw(channels, seed=3)
    judge = jax.jit(lambda variables: CRITIC.apply(variables, image, train=False, method="activations"))
    for depth, (found, wanted) in enumerate(zip(judge(variables), run(network.eval(), image))):
        close(f"{name}, layer {depth}", found, wanted)


def settle(network, *maps):
    """Passes in training, after which the spectral norm's vectors are near the leading ones."""
    for _ in range(2):
        run(network.train(), *maps)
    return network


@pytest.fixture(scope="module")
def edge_connect(tmp_path_factory):
    """The public networks, whose files our importer has read."""
    public = public_module("edge-connect", "src.networks")
    torch.manual_seed(0)
    networks = {
        ("EdgeModel", "gen"): settle(randomize(public.EdgeGenerator()), draw(3)[:, :64, :64]),
        ("EdgeModel", "dis"): settle(randomize(public.Discriminator(2)), draw(2)),
        ("InpaintingModel", "gen"): randomize(public.InpaintGenerator()),
        ("InpaintingModel", "dis"): settle(randomize(public.Discriminator(3)), draw(3)),
    }
    folder = tmp_path_factory.mktemp("edge_connect")
    for (model, part), network in networks.items():
        section = {"gen": "generator", "dis": "discriminator"}[part]
        torch.save({"iteration": 7, section: network.state_dict()}, folder / f"{model}_{part}.pth")
    return networks, import_edge_connect.read(folder / "InpaintingModel_gen.pth")


def of(tree, network):
    return {"params": tree["params"][network], **tree["stats"][network]}


@pytest.mark.parametrize("train", [False, True])
def test_the_edge_generator(edge_connect, train):
    networks, tree = edge_connect
    gray, edges, known = draw(1, seed=1), (draw(1, seed=2) > 0.9).astype(np.float32), holes()
    options = {"train": train, "method": "draw", "mutable": ["spectral"]}
    draw_edges = jax.jit(lambda variables: EdgeConnectGenerator().apply(variables, gray, edges, known, **options)[0])
    seen = np.concatenate([gray * known + 1 - known, edges * known, 1 - known], axis=-1)
    wanted = run(networks["EdgeModel", "gen"].train(train), seen)
    close(f"edge generator, train={train}", draw_edges(of(tree, "generator")), wanted)


def test_the_completion_generator(edge_connect):
    networks, tree = edge_connect
    image, edges, known = draw(3), draw(1, seed=2), holes()
    paint = jax.jit(lambda variables: EdgeConnectGenerator().apply(variables, image, edges, known, method="paint"))
    seen = np.concatenate([image * known + 1 - known, edges], axis=-1)
    close("completion generator", paint(of(tree, "generator")), run(networks["InpaintingModel", "gen"].eval(), seen))


@pytest.mark.parametrize(
    ("name", "model", "channels"), [("edge_critic", "EdgeModel", 2), ("critic", "InpaintingModel", 3)]
)
def test_the_critics(edge_connect, name, model, channels):
    networks, tree = edge_connect
    judge_alike(name, of(tree, name), networks[model, "dis"], channels)


@pytest.fixture(scope="module")
def region_norm(tmp_path_factory):
    public = public_module("RN", "networks")
    torch.manual_seed(0)
    generator = randomize(public.G_Net(input_channels=3, residual_blocks=8, threshold=0.8))
    critic = settle(randomize(public.D_Net(in_channels=3)), draw(3))
    parts = {"generator": generator, "discriminator": critic}
    state = {f"{part}.{name}": value for part in parts for name, value in parts[part].state_dict().items()}
    path = tmp_path_factory.mktemp("region_norm") / "RN.pth"
    torch.save(state, path)
    return parts, import_region_norm.read(path)


@pytest.mark.parametrize("batch", [1, 2])
def test_the_generator_of_region_normalisation(region_norm, batch):
    """In training, the statistics are the batch's. A pixel whose importance is the threshold but for rounding may fall
    into the other region, and moves the rest a little: it does so with few photographs, a mistake with all."""
    parts, tree = region_norm
    known, train = holes(batch), batch > 1  # in evaluation, ours is independent of the batch
    fill = jax.jit(lambda params, image: RegionNormGenerator().apply({"params": params}, image, known, train=train))
    errors = []
    for seed in range(3):
        image = draw(3, batch, seed)
        wanted = run(parts["generator"].train(train), image, 1 - known)
        found = fill(tree["params"]["generator"], image)
        errors.append(error_of(f"region normalisation, batch {batch}", found, wanted))
        if errors[-1] < 1e-4:
            break
    assert errors[-1] < 1e-4, errors


def test_the_critic_of_region_normalisation(region_norm):
    parts, tree = region_norm
    judge_alike("critic of region normalisation", of(tree, "critic"), parts["discriminator"], 3)
