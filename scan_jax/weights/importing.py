"""A published file of weights, checked and rewritten as safetensors."""

from __future__ import annotations

import pathlib

from scan_jax.core.errors import UserError
from scan_jax.weights import bundle, registry, safetensors_tree


def import_weights(name: str, path: str, *, out: str = "", allow_other_weights: bool = False) -> pathlib.Path:
    """Checks the file at `path`, rewrites it and returns where: a safetensors file, or a bundle of a whole generator.

    Args:
      name: a network with an importer, such as "vgg19".
      path: the published file.
      out: the file or, for a generator, the folder to write; empty for the default folder's `<name>.safetensors`.
      allow_other_weights: take a file of the right layout whose hash is not the published one, and note that.

    Raises:
      UserError: unknown name, missing or damaged file, wrong hash, wrong layout, no room to write.
    """
    importer = registry.importer(name)
    given = pathlib.Path(path).expanduser()
    sha256 = registry.sha256_of(given)
    published = registry.matches(sha256, importer.SOURCE)
    if importer.SOURCE.sha256 and not (published or allow_other_weights):
        raise UserError(
            f"{given} is not the published {importer.SOURCE.file}: expected sha256 {importer.SOURCE.sha256}, "
            f"found {sha256}; get it anew, or pass --allow_other_weights if these weights are meant"
        )
    tree = importer.read(given)
    target = pathlib.Path(out).expanduser() if out else registry.imported_path(name)
    metadata = _metadata(importer.SOURCE, given, sha256, published)
    if registry.is_bundle(name):
        bundle.save(target, importer.config(tree), tree, metadata)
        return target
    _make_folder(target.parent)
    safetensors_tree.save(target, tree, metadata)
    return target


def _metadata(source: registry.Source, given: pathlib.Path, sha256: str, published: bool) -> dict[str, str]:
    """What a reader of the file must know about where it comes from."""
    return {
        "network": source.name,
        "source": given.name,
        "source_sha256": sha256,
        "weights": "published" if published else "other",
        "licence": source.licence if published or not source.sha256 else "unknown",
    }


def _make_folder(folder: pathlib.Path) -> None:
    """The folder and its parents, where they are missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {folder}: {error.strerror or error}") from error
