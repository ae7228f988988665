"""Modules of public PyTorch repositories, from clones of them; nothing of theirs is part of this one."""

from __future__ import annotations

import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any

from scan_jax.core.errors import UserError

_KEPT: list[Any] = []  # an operator library that is collected takes its operators with it


def load(folder: Path, repository: str, name: str) -> Any:
    """The module `name` of a repository's clone; two repositories may have modules of one name.

    Raises:
      UserError: there is no such clone, or what it needs is not installed.
    """
    root = folder / repository
    if not root.is_dir():
        raise UserError(f"there is no {root}; clone {repository} into {folder}")
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    try:
        torchvision()
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"{repository} needs what is not installed ({error}); pip install torch torchvision") from error
    finally:
        sys.path.remove(str(root))
        for new in set(sys.modules) - before:
            if str(root) in str(getattr(sys.modules[new], "__file__", None)):
                del sys.modules[new]


def torchvision() -> Any:
    """The package; operators that one built for another device lacks, and no network here needs, are declared.

    Raises:
      ImportError: it or PyTorch is not installed.
    """
    import torch

    try:
        return importlib.import_module("torchvision")
    except RuntimeError:
        operators = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            with contextlib.suppress(RuntimeError):
                operators.define(f"{operator}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(operators)
        return importlib.import_module("torchvision")
