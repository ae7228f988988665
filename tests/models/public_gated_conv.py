"""Runs the public TensorFlow 1 code of gated convolution under TensorFlow 2, in a process of its own.

    python public_gated_conv.py CLONES ARRAYS.npz PREFIX

CLONES holds `generative_inpainting` and `neuralgym`, by the same author; ARRAYS.npz has image [1,H,W,3] in [0, 1] and
known [1,H,W,1]. Random networks paint and judge it, and are saved as a checkpoint at PREFIX; what they said is added to
the arrays: coarse, fine [1,H,W,3] in [0, 1], logits [1,h*w*C], g_loss and d_loss for the image against fine's
completion. What TensorFlow 2 and the training loop's packages lack stands in: layers, and scopes of default arguments.
"""

import contextlib
import importlib
import pathlib
import sys
import types

import numpy as np
import tensorflow

tf = tensorflow.compat.v1


class Conv2D:
    """TensorFlow 1's layer, as far as it is used: variables under its name, made by `build`."""

    def __init__(self, filters, kernel_size, strides, padding, name, dilation_rate=1, **unused):
        self.filters, self.size, self.stride = filters, kernel_size, strides
        self.padding, self.dilation, self.name = padding, np.max(dilation_rate), name

    def build(self, shape):
        shape = [self.size, self.size, shape.as_list()[-1], self.filters]
        scale = 1.5 / np.sqrt(np.prod(shape[:3]))
        self.kernel = tf.get_variable("kernel", shape, initializer=tf.random_normal_initializer(stddev=scale))
        self.bias = tf.get_variable("bias", shape[3:], initializer=tf.random_uniform_initializer(-0.2, 0.2))

    def apply(self, x):
        with tf.variable_scope(self.name):
            self.build(x.shape)
        steps, gaps = [1, self.stride, self.stride, 1], [1, self.dilation, self.dilation, 1]
        return tf.nn.conv2d(x, self.kernel, steps, self.padding.upper(), dilations=gaps) + self.bias


def conv2d(x, filters, kernel_size, strides=1, dilation_rate=1, activation=None, padding="SAME", name=None):
    assert activation is None
    return Conv2D(filters, kernel_size, strides, padding, name, dilation_rate).apply(x)


def install(clones):
    """Makes the public modules importable, and nothing of them that draws, feeds or trains."""
    layers = types.SimpleNamespace(conv2d=conv2d, Conv2D=Conv2D)
    flatten = lambda x: tf.reshape(x, [x.shape[0], -1])  # noqa: E731
    unused = lambda *_, **__: None  # noqa: E731
    contrib = types.SimpleNamespace(
        layers=types.SimpleNamespace(flatten=flatten, xavier_initializer_conv2d=unused, xavier_initializer=unused)
    )
    one = module("tensorflow", layers=layers, contrib=contrib)
    for name in dir(tf):
        if not hasattr(one, name):
            with contextlib.suppress(ImportError, AttributeError):
                setattr(one, name, getattr(tf, name))
    module(
        "tensorflow.contrib.framework.python.ops",
        add_arg_scope=lambda function: function,
        arg_scope=lambda *_, **__: contextlib.nullcontext(),
    )
    module("neuralgym")
    module("neuralgym.models", Model=type("Model", (), {"__init__": lambda self, name: None}))
    module("neuralgym.ops").__path__ = [str(clones / "neuralgym" / "neuralgym" / "ops")]
    module("neuralgym.ops.summary_ops", scalar_summary=unused, images_summary=unused, gradients_summary=unused)
    module("neuralgym.ops.loss_ops")
    sys.path.insert(0, str(clones / "generative_inpainting"))


def module(name, **contents):
    """A module with these contents in the place of `name`."""
    made = types.ModuleType(name)
    vars(made).update(contents)
    sys.modules[name] = made
    return made


def main(clones, arrays, prefix):
    install(pathlib.Path(clones))
    tf.disable_eager_execution()
    tf.set_random_seed(0)
    public = importlib.import_module("inpaint_model")
    given = dict(np.load(arrays))
    photograph = tf.constant(2 * given["image"][..., ::-1].astype(np.float32) - 1)  # blue first, as OpenCV reads it
    hole = tf.constant(1 - given["known"].astype(np.float32))
    model = public.InpaintCAModel()
    coarse, fine, _ = model.build_inpaint_net(photograph * (1 - hole), hole, training=False)
    completion = fine * hole + photograph * (1 - hole)
    both = tf.concat([tf.concat([photograph, completion], 0), tf.tile(hole, [2, 1, 1, 1])], 3)
    judged = model.build_gan_discriminator(both, training=False)
    g_loss, d_loss = public.gan_hinge_loss(*tf.split(judged, 2))
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)
        found = session.run({"coarse": coarse, "fine": fine, "logits": judged, "g_loss": g_loss, "d_loss": d_loss})
    for stage in ("coarse", "fine"):
        found[stage] = (found[stage][..., ::-1] + 1) / 2
    np.savez(arrays, **given, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
