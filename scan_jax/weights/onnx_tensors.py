"""Tensors of ONNX files, without the package `onnx`: of a file only constants and the wiring are read, nothing is run.

An ONNX file is a protocol buffer: fields of a number and a kind, one inside of the other (onnx.proto says which).
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from scan_jax.core.errors import UserError

# Of TensorProto.DataType; others are no weights.
TYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5  # kinds of fields
DAMAGED = (ValueError, IndexError, UnicodeDecodeError, OverflowError)


@dataclasses.dataclass(frozen=True)
class Node:
    """One operation of the program."""

    kind: str  # such as "Conv"
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(path: pathlib.Path) -> tuple[dict[str, np.ndarray], list[Node]]:
    """The floating point constants by name, float32, those that the file holds under several names too, and all nodes.

    UserError for a file that cannot be read, was cut short, is none of ONNX, or keeps its tensors in another file.
    """
    try:
        fields = list(_fields(memoryview(path.read_bytes())))
        graph = next((value for number, value in fields if number == 7), None)  # of the ModelProto
        if not isinstance(graph, memoryview):
            raise ValueError("no graph")
        parts = list(_fields(graph))
        tensors = dict(_tensor(value) for number, value in parts if number == 5)
        nodes = [_node(value) for number, value in parts if number == 1]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except DAMAGED as error:
        raise UserError(f"{path} is damaged or no ONNX file ({error}); get it anew") from error
    found = {name: array for name, array in tensors.items() if array is not None}
    for node in nodes:
        if node.kind == "Identity" and node.inputs[0] in found:
            found[node.outputs[0]] = found[node.inputs[0]]
    return found, nodes


def _tensor(given: int | memoryview) -> tuple[str, np.ndarray | None]:
    """A TensorProto's name, and its numbers where they are of floating point."""
    name, kind, raw = "", 0, b""
    shape: list[int] = []
    numbers: list[np.ndarray] = []
    for number, value in _fields(given):
        if number == 1:  # dims, one by one or packed
            shape += [value] if isinstance(value, int) else list(_varints(value))
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 4 and isinstance(value, memoryview):  # float_data, packed or one by one
            numbers.append(np.frombuffer(value, "<f4"))
        elif number == 8 and isinstance(value, memoryview):
            name = str(value, "utf-8")
        elif number == 9 and isinstance(value, memoryview):
            raw = bytes(value)
        elif number == 13:
            raise ValueError(f"{name!r} lies in another file")
    if kind not in TYPES:
        return name, None
    flat = np.concatenate(numbers) if numbers else np.frombuffer(raw, TYPES[kind])
    return name, flat.astype(np.float32).reshape(shape)


def _node(given: int | memoryview) -> Node:
    """A NodeProto."""
    texts: dict[int, list[str]] = {1: [], 2: [], 4: []}  # inputs, outputs, kind
    for number, value in _fields(given):
        if number in texts and isinstance(value, memoryview):
            texts[number].append(str(value, "utf-8"))
    return Node("".join(texts[4]), tuple(texts[1]), tuple(texts[2]))


def _fields(message: int | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and content of each field; ValueError where the message is none or ends too early."""
    if isinstance(message, int):
        raise ValueError("a number where a message should be")
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind not in (EIGHT, BYTES, FOUR):
            raise ValueError(f"a field of kind {kind}")
        size, place = _varint(message, place) if kind == BYTES else ({EIGHT: 8, FOUR: 4}[kind], place)
        if place + size > len(message):
            raise ValueError("it ends too early")
        yield number, message[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, the lowest first; and where the next one begins."""
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("it ends too early")
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


def _varints(packed: memoryview) -> Iterator[int]:
    """Whole numbers one after the other."""
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value
