"""Bundles of networks with random weights, as small as they get: what a page is tested with."""

from small_methods import SMALL
from small_networks import small_trained

from scan_jax.inference.bundles import exporting


def write_bundle(folder, name):
    """A bundle of the method called `name`, which --run takes."""
    exporting.export(small_trained({"name": name, **SMALL[name]}), folder, platforms=())
    return folder
