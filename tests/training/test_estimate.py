"""What an estimate says of the toy method, against numbers worked out by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from toy_method import ToyMethod

from scan_jax.core.errors import UserError
from scan_jax.core.sections import OptimizerSettings, TrainingSettings
from scan_jax.models.lama import SpectralTransform
from scan_jax.ops.convolution import convolve
from scan_jax.ops.depthwise import depthwise
from scan_jax.ops.patches import extract_patches
from scan_jax.training import sharding
from scan_jax.training.cost import accelerators
from scan_jax.training.cost import estimate as matrix_flops
from scan_jax.training.cost import roofline as collectives
from scan_jax.training.cost.accelerators import Network
from scan_jax.training.cost.estimate import MatrixFlops, estimate, held_bytes, require_fit, table
from scan_jax.training.cost.roofline import Collective, roofline
from scan_jax.training.trainer import Trainer

SIZE, BATCH, DEVICES = 16, 8, 8
GENERATOR = 3 * 3 * 3 * 3 + 3  # parameters of a 3x3 convolution with a bias
CRITIC = 4 * 4 * 3 * 8 + 8  # of a 4x4 one
EXAMPLE = SIZE * SIZE * (3 + 1) * 4  # bytes of one photograph and its hole
OPTIMIZERS = {"generator": OptimizerSettings(), "critic": OptimizerSettings()}


def trainer_of(method, **settings):
    return Trainer(method, TrainingSettings(10, BATCH, OPTIMIZERS, **settings), SIZE, 0)


@pytest.fixture(scope="module")
def compiled():
    return estimate(trainer_of(ToyMethod()), {})


def test_bytes_of_what_is_replicated_and_of_what_is_split(toy_method):
    assert held_bytes(trainer_of(toy_method), {"features": jax.ShapeDtypeStruct((5, 3), jnp.bfloat16)}) == {
        "parameters": 4 * (GENERATOR + CRITIC),
        "optimiser": 2 * 4 * (GENERATOR + CRITIC) + 4 * 4,  # two moments; two counters for each of two optimisers
        "moving average": 4 * GENERATOR,
        "statistics": 4 * (4 * 4 * 3 + 8),  # the singular vectors of the critic
        "frozen weights": 2 * 15,
        "batch": EXAMPLE * BATCH // DEVICES,
    }
    held = held_bytes(trainer_of(toy_method, fsdp=8, sharding=((".*", "fsdp"),)), {})
    split = GENERATOR + CRITIC // 8  # nothing of the generator divides by eight, everything of the critic does
    assert held["parameters"] == 4 * split
    assert held["optimiser"] == 2 * 4 * split + 4 * 4
    assert held["moving average"] == 4 * GENERATOR


def test_every_seed_that_a_config_may_have_is_traced():
    settings = TrainingSettings(10, BATCH, OPTIMIZERS)
    keys = [Trainer(ToyMethod(), settings, SIZE, seed).trace({}).jaxpr.in_avals[-1] for seed in (0, 2**32 - 1)]
    assert keys[0] == keys[1]


def test_a_compiled_step(compiled):
    assert (compiled.devices, compiled.batch_size) == (DEVICES, BATCH)
    assert compiled.padding < 1024  # the step's number, the key and the scalars
    assert compiled.temporary >= EXAMPLE  # gradients and activations are larger than the input
    assert compiled.memory == sum(compiled.held.values()) + compiled.padding + compiled.temporary + compiled.program
    generator = 2 * BATCH * 3 * 3 * (SIZE * 3 - 2) ** 2  # two taps of a row fall on padding
    critic = 2 * BATCH * 3 * 8 * (SIZE // 2 * 4 - 2) ** 2
    # The generator forward and its kernel's gradient; the critic forward and back to the image, then on twice as many
    # images forward and back to the kernel. The power iteration is less than a hundredth of it.
    convolutions = 2 * generator + (2 + 2 * 2) * critic
    assert convolutions < compiled.flops.total < 1.01 * convolutions
    assert compiled.flops.open_loops == 0
    # XLA counts all operations, and what is not split over the devices on each of them.
    assert convolutions / DEVICES < compiled.program_flops < 3 * convolutions / DEVICES
    reduced = sum(each.bytes for each in compiled.collectives if each.kind == "all-reduce" and each.group == DEVICES)
    assert 4 * (GENERATOR + CRITIC) <= reduced < 2 * 4 * (GENERATOR + CRITIC)
    text = table(compiled)
    assert "8 devices, batch 8 (1 on each)" in text
    assert "all-reduce" in text


def test_a_step_that_is_too_large_is_refused(compiled):
    found = dataclasses.replace(compiled, temporary=2**31)
    require_fit(found, 2.0**32, "a large one")
    with pytest.raises(UserError, match=r"needs 2\.00 GiB .* a small one has 1\.00 GiB") as refusal:
        require_fit(found, 2.0**30, "a small one")
    for knob in ("training.batch_size", "method.compute_dtype", "training.fsdp"):
        assert knob in str(refusal.value)


@pytest.mark.parametrize(
    ("stride", "padding", "spread", "dilation", "groups"),
    [(1, 0, 1, 1, 1), (2, 1, 1, 1, 1), (1, 2, 2, 1, 1), (1, 3, 1, 3, 1), (3, 2, 2, 2, 2)],
)
def test_convolutions_are_counted_tap_by_tap(stride, padding, spread, dilation, groups):
    image, kernel = jnp.ones((2, 9, 7, 4)), jnp.ones((3, 2, 4 // groups, 6))

    def convolve(image):
        steps, around, orders = (stride, 1), ((padding, padding), (0, 0)), ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(image, kernel, steps, around, (spread, 1), (dilation, 1), orders, groups)

    found = matrix_flops.count(jax.make_jaxpr(convolve)(image))
    assert found == MatrixFlops(default=2 * float(convolve(image).sum()))  # with ones, a sum is a count of its terms


def test_what_nobody_reads_does_not_count():
    def twice(a, b):
        return a @ b, jnp.sin(a) @ b

    image, kernel = jnp.ones((2, 8, 8, 4)), jnp.ones((3, 3, 4, 6))
    one_pass = matrix_flops.count(jax.make_jaxpr(lambda x, k: convolve(x, k, (1, 1)))(image, kernel)).total
    to_map = jax.grad(lambda x: convolve(x, kernel, (1, 1)).sum())
    assert matrix_flops.count(jax.make_jaxpr(to_map)(image)).total == one_pass  # its value and the kernel's go unread
    first = jax.make_jaxpr(lambda a, b: twice(a, b)[0])(jnp.ones((5, 7)), jnp.ones((7, 11)))
    assert matrix_flops.count(first) == MatrixFlops(default=2 * 5 * 7 * 11)


def traced_for(mesh, function):
    """As the trainer has its steps."""

    def on_the_mesh(*given):
        with jax.sharding.use_abstract_mesh(mesh.abstract_mesh):
            return function(*given)

    return on_the_mesh


@pytest.mark.parametrize(
    ("apply", "shape"), [(lambda x, kernel: convolve(x, kernel, (1, 1)), (3, 3, 4, 5)), (depthwise, (3, 3, 4))]
)
def test_devices_wait_for_each_other_once_for_a_kernels_gradient(apply, shape):
    """Each adds up its photographs' shares in a loop; in it, they would wait for each other every time."""
    mesh = sharding.make_mesh(BATCH)
    split, whole = sharding.batched(mesh), sharding.replicated(mesh)
    image, kernel = (jax.random.normal(jax.random.key(seed), size) for seed, size in enumerate([(8, 32, 64, 4), shape]))
    to_kernel = jax.grad(lambda kernel, image: jnp.sum(apply(image, kernel) ** 2))

    kernel, image = jax.device_put(kernel, whole), jax.device_put(image, split)
    program = jax.jit(traced_for(mesh, to_kernel), out_shardings=whole).lower(kernel, image).compile()
    everywhere, (_, outside) = program.as_text(), program.as_text().split("\nENTRY")
    assert " while(" in outside and everywhere.count(" all-reduce(") == outside.count(" all-reduce(") == 1
    expected = jax.jit(to_kernel)(*jax.device_get((kernel, image)))
    np.testing.assert_allclose(program(kernel, image), expected, rtol=1e-5, atol=1e-5 * float(jnp.abs(expected).max()))


def test_lamas_maps_are_transformed_where_they_lie():
    """XLA by itself brings all of a batch to each device before a Fourier transform."""
    mesh, layer = sharding.make_mesh(BATCH), SpectralTransform()
    image = jax.random.normal(jax.random.key(0), (BATCH, 8, 8, 4))
    variables = jax.jit(lambda: layer.init(jax.random.key(1), image, train=False))()

    def slopes(variables, image):
        return jax.grad(lambda image: jnp.sum(layer.apply(variables, image, train=False) ** 2))(image)

    expected = jax.jit(slopes)(variables, image)
    given = jax.device_put(variables, sharding.replicated(mesh)), jax.device_put(image, sharding.batched(mesh))
    program = jax.jit(traced_for(mesh, slopes), out_shardings=sharding.batched(mesh)).lower(*given).compile()
    assert "fft(" in program.as_text() and collectives.find(program.as_text(), DEVICES) == ()
    np.testing.assert_allclose(program(*given), expected, rtol=1e-5, atol=1e-5)


def test_products_in_loops_and_branches():
    a, b = jnp.ones((5, 7)), jnp.ones((7, 11))
    one = 2 * 5 * 7 * 11

    def looped(a, b, count):
        exact = jnp.matmul(a, b, precision=lax.Precision.HIGHEST)
        known = lax.fori_loop(0, 3, lambda i, total: total + a @ b, jnp.zeros((5, 11)))
        unknown = lax.fori_loop(0, count, lambda i, total: total + a @ b, jnp.zeros((5, 11)))
        chosen = lax.cond(count > 2, lambda: a @ b + a @ b, lambda: a @ b)
        anywhere = lax.platform_dependent(a, b, cpu=lambda a, b: 2 * (a @ b) - a @ b, default=lambda a, b: a @ b)
        return exact + known + unknown + chosen + anywhere

    found = matrix_flops.count(jax.make_jaxpr(looped)(a, b, 4))
    assert found == MatrixFlops(default=(3 + 1 + 2 + 1) * one, highest=one, open_loops=1)


PROGRAM = """
  %all-reduce.1 = (f32[3,8]{1,0:T(8,128)}, /*index=1*/bf16[16]{0}) all-reduce(%a, %b), replica_groups=[2,4]<=[8]
  %r = f32[] all-reduce(%s), channel_id=3, replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%sum
  %g-start = (f32[2,3]{1,0}, f32[16,3]{1,0}) all-gather-start(%p), replica_groups={{0,1,2,3,4,5,6,7}}, dimensions={0}
  %g-done = f32[16,3]{1,0} all-gather-done(%g-start)
  %s = bf16[4]{0} reduce-scatter(%q), replica_groups={{0,1},{2,3},{4,5},{6,7}}, dimensions={0}
  %p-start = (u8[9]{0}, u8[9]{0}, u32[], u32[]) collective-permute-start(%q), source_target_pairs={{0,1},{1,0}}
  %fusion.1 = f32[4]{0} fusion(%all-reduce.1), kind=kLoop, calls=%all-reduce-fusion
"""


def test_collectives_are_read_from_the_program():
    found = collectives.find(PROGRAM, 8)
    assert set(found) == {
        Collective("all-reduce", 4, 2, (3 * 8 * 4, 16 * 2, 4)),
        Collective("all-gather", 8, 1, (16 * 3 * 4,)),
        Collective("reduce-scatter", 2, 1, (2 * 4 * 2,)),
        Collective("collective-permute", 8, 1, (9,)),
    }
    sent = {"all-reduce": 2 * 3 / 4 * 132, "all-gather": 7 / 8 * 192, "reduce-scatter": 8, "collective-permute": 9}
    assert {each.kind: each.sent for each in found} == sent


@pytest.mark.parametrize(
    ("groups", "size"),
    [
        ("mesh['axis_0'=4,'axis_1'=2] {'axis_1'}", 2),
        ("mesh['axis_0'=4,'axis_1'=2] {'axis_0'}", 4),
        ("mesh['axis_0'=4,'axis_1'=2] {'axis_0','axis_1'}", 8),
        ("mesh['axis_0'=1,'axis_1'=2,'axis_2'=4], device_ids=([4,2]T(1,0)) {'axis_1'}", 2),
        ("mesh['axis_0'=2,'axis_1'=4], device_ids=([4,2]T(1,0)) {'axis_1'}", 4),
        ("mesh['x'=8] {'x':(2)2}", 2),  # of eight in a row, two that are two apart
        ("[2,4]<=[8]", 4),
        ("[4,2]<=[2,4]T(1,0)", 2),
        ("{{0,1},{2,3},{4,5},{6,7}}", 2),
        ("{{0,2,4,6},{1,3,5,7}}", 4),
        ("{}", 8),
    ],
)
def test_who_takes_part_in_a_collective(groups, size):
    rest = 'dimensions={0}, use_global_device_ids=true, metadata={op_name="jit(step)/dot" stack_frame_id=9}'
    (found,) = collectives.find(
        f"  %g = f32[16,3]{{1,0}} all-gather(%p), channel_id=1, replica_groups={groups}, {rest}", 8
    )
    assert found == Collective("all-gather", size, 1, (192,))
    assert found.sent == pytest.approx({2: 96, 4: 144, 8: 168}[size])  # all of 192 bytes but the own share
    part = f"  %s = f32[16]{{0}} reduce-scatter(%p), channel_id=2, replica_groups={groups}, {rest}"
    assert collectives.find(part, 8)[0].bytes == 64 * size
    total = f"  ROOT %r = f32[16]{{0}} all-reduce(%p), channel_id=2, replica_groups={groups}, to_apply=%sum, {rest}"
    assert collectives.find(total, 8)[0].sent == pytest.approx({2: 64, 4: 96, 8: 112}[size])


def test_patches_are_taken_where_their_map_is():
    split = sharding.batched(sharding.make_mesh(8))
    x = jax.ShapeDtypeStruct((8, 12, 12, 4), jnp.float32, sharding=split)
    positions = jax.ShapeDtypeStruct((8, 5, 2), jnp.int32, sharding=split)

    def both(x, positions):
        patches, pull = jax.vjp(lambda x: extract_patches(x, positions, 3), x)
        return patches, pull(patches * patches)[0]

    program = jax.jit(both, out_shardings=(split, split)).lower(x, positions).compile()
    assert collectives.find(program.as_text(), 8) == ()


def test_a_roofline(compiled):
    chip = accelerators.of_kind("TPU v5 lite")
    assert chip == accelerators.named("v5e")
    found = dataclasses.replace(
        compiled,
        flops=MatrixFlops(default=8 * 197e12, highest=0.0),
        accessed=2 * 819e9,
        collectives=(Collective("all-reduce", 8, 1, (int(100e9),)),),
    )
    bound = roofline(found, chip, Network(bandwidth=87.5e9, latency=0.25), "bfloat16")
    assert (bound.compute, bound.memory, bound.network) == pytest.approx((1, 2, 2 + 0.5))
    assert (bound.alone, bound.shortest, bound.longest) == pytest.approx((2, 2.5, 4.5))
    assert bound.efficiency == pytest.approx((2 / 4.5, 2 / 2.5))
    assert bound.peak == pytest.approx(8 * 197e12)


def test_links_of_a_slice_and_kinds_as_jax_calls_them():
    chip = accelerators.named("v5e")
    assert accelerators.join(chip, (2, 4, 1), 8) == Network(2 * 50e9, pytest.approx(4e-6))  # two lines: 1 + 3 hops
    assert accelerators.join(chip, (16, 16, 1), 256) == Network(4 * 50e9, pytest.approx(16e-6))  # two rings: 8 + 8
    assert accelerators.join(accelerators.named("tpu7x"), (1, 1, 1), 2).bandwidth == 600e9  # half with half
    calls = "TPU v4=v4, TPU v5=v5p, TPU v6 lite=v6e, TPU7x=tpu7x, NVIDIA A100-SXM4-80GB=a100-80gb, "
    calls += "NVIDIA A100-SXM4-40GB=a100, NVIDIA H100 80GB HBM3=h100, NVIDIA H200=h200, NVIDIA L4=l4, Tesla T4=t4"
    names = dict(call.split("=") for call in calls.split(", "))
    assert {kind: accelerators.of_kind(kind) for kind in names} == {k: accelerators.named(v) for k, v in names.items()}
    for other in ("cpu", "TPU v3", "TPU v4 lite", "NVIDIA H100 PCIe", "NVIDIA L40S", "NVIDIA T400"):
        assert accelerators.of_kind(other) is None, "not guessed"
    with pytest.raises(UserError, match="did you mean 'h200'"):
        accelerators.named("h20")


def test_gpus_beyond_one_node_share_its_adapters():
    h100, a100, l4 = map(accelerators.named, ("h100", "a100", "l4"))
    assert [accelerators.join(h100, (), count).bandwidth for count in (1, 8, 9, 64)] == [450e9, 450e9, 400e9, 400e9]
    assert [accelerators.join(a100, (), count).bandwidth for count in (8, 16)] == [300e9, 200e9]
    assert [accelerators.join(l4, (), count).bandwidth for count in (8, 16)] == [32e9, 12.5e9]


def test_memory_is_what_a_program_may_use_of_it():
    usable = {
        name: round(accelerators.named(name).memory / 2**30, 2) for name in ("v5e", "v4", "tpu7x", "h100", "h200")
    }
    assert usable == {"v5e": 15.75, "v4": 30.75, "tpu7x": 94.75, "h100": 59.74, "h200": 105.3}
