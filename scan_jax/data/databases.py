"""Photographs in Parquet and Arrow tables, LMDB and TFRecords, read where they lie; see `files.Container`.

The packages are those of `scan_jax[containers]`. Nothing is unpickled, and TensorFlow is not needed.
"""

from __future__ import annotations

import collections
import importlib
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import Error

from scan_jax.core.errors import UserError
from scan_jax.data.files import LABEL_ENDING, Container, Entry, Flat
from scan_jax.images.decode import SUFFIXES

# Of columns of a table, those of photographs and those of label maps; `datasets` leaves their names to people.
PHOTOGRAPHS = ("image", "img", "photo", "photograph", "picture", "jpg", "png", "webp")
LABELS = ("label", "labels", "label_map", "mask", "annotation", "segmentation", "seg", "seg.png", "mask.png")
HEADS = (  # by which files are known whose names are not
    *((b"\x89PNG", ".png"), (b"\xff\xd8\xff", ".jpg"), (b"GIF8", ".gif"), (b"BM", ".bmp"), (b"8BPS", ".psd")),
    *((b"\xff\x0a", ".jxl"), (b"II*\0", ".tif"), (b"MM\0*", ".tif"), (b"RIFF", ".webp")),
)
MASK_DELTA = 0xA282EAD8  # of TFRecord's checksums


def _package(name: str, path: Path) -> Any:
    """A package of `scan_jax[containers]`; a UserError names the line to type where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0].replace("_", "-")
        told = f'{path.name} is read by the package {package}: pip install "scan_jax[containers]"'
        raise UserError(told) from error


class Block(NamedTuple):
    """Rows of a table that are read at once."""

    bytes: Any  # Arrow array of binary values, null for files that lie elsewhere
    paths: Any  # Arrow array of strings, or None


class Opened(NamedTuple):
    """A table."""

    columns: tuple[str, ...]  # of photographs, and of label maps where there is one
    blocks: int
    block: Callable[[int, str], Block]


class Table(Container):
    """Parquet, or an Arrow table of `save_to_disk`, with a column of photographs and maybe one of label maps.

    A column has files' bytes, or, as Hugging Face `datasets` writes Image, bytes and path; without bytes, the path is
    of a file, relative to the table's folder. Of a row's label map the name is that of its photograph and `_label.png`.
    """

    rows = True

    def open(self) -> Opened:
        """The table; of Parquet the last groups of rows stay in memory, an Arrow table is mapped into it."""
        arrow = _package("pyarrow", self.path)
        try:
            if self.path.suffix.lower() == ".parquet":
                file = _package("pyarrow.parquet", self.path).ParquetFile(self.path)
                read = _kept(lambda number, column: file.read_row_group(number, [column]).column(column))
                return Opened(_columns(file.schema_arrow, self.path), file.num_row_groups, _in_blocks(arrow, read))
            stream = arrow.memory_map(str(self.path))
            try:
                table = arrow.ipc.open_stream(stream).read_all()
            except arrow.ArrowInvalid:
                table = arrow.ipc.open_file(stream).read_all()
        except (arrow.ArrowException, OSError, ValueError) as error:
            raise self.damaged(error) from error
        batches = table.to_batches()
        return Opened(
            _columns(table.schema, self.path),
            len(batches),
            _in_blocks(arrow, lambda number, column: batches[number].column(column)),
        )

    def entries(self) -> Iterator[Entry]:
        """A row's photograph, and its label map; all blocks are read once, for the sizes of what is in them."""
        changed = self.path.stat().st_mtime_ns
        for number in range(self.opened.blocks):
            try:
                blocks = [self.opened.block(number, column) for column in self.opened.columns]
            except (OSError, ValueError) as error:
                raise self.damaged(error) from error
            for row in range(len(blocks[0].bytes)):
                name = ""
                for column, block in zip(self.opened.columns, blocks):
                    content, path = block.bytes[row], block.paths[row].as_py() if block.paths is not None else None
                    size = len(content.as_buffer()) if content.is_valid else self._size(path)
                    if name:
                        name = f"{PurePosixPath(name).with_suffix('') if name[0] != '.' else ''}{LABEL_ENDING}"
                    else:
                        name = _name(path, content.as_buffer()[:12].to_pybytes() if content.is_valid else b"")
                    if self.takes(name, size) or name[0] == ".":
                        yield Entry(name, size, changed, (number, row, column))

    def _size(self, path: str | None) -> int:
        file = self._beside(path or ".")
        return file.stat().st_size if file.is_file() else 0

    def _beside(self, path: str) -> Path:
        """A file that the table names; a UserError where it lies outside of the table's folder."""
        folder = os.path.abspath(self.path.parent)
        file = os.path.normpath(os.path.join(folder, path))
        if os.path.commonpath((folder, file)) != folder:
            raise UserError(f"{self.path} names {path}, which is outside of its folder; save it with the images in it")
        return Path(file)

    def read(self, place: tuple[int, int, str]) -> bytes:
        """The bytes in that block, row and column, or those of the file that it names."""
        number, row, column = place
        block = self.opened.block(number, column)
        if block.bytes[row].is_valid:
            return block.bytes[row].as_py()
        path = block.paths[row].as_py() if block.paths is not None else None
        if not path:
            raise OSError(f"row {row} of block {number} in {self.path} is empty")
        return self._beside(path).read_bytes()


def _columns(schema: Any, path: Path) -> tuple[str, ...]:
    """The columns of photographs and of label maps among those that hold files."""
    fields = [field for field in schema if _holds_files(field.type)]
    names = {field.name.lower(): field.name for field in fields}
    photographs = [names[name] for name in PHOTOGRAPHS if name in names] or list(names.values())
    if not photographs or (len(photographs) > 1 and photographs[0].lower() not in PHOTOGRAPHS):
        there = ", ".join(schema.names)
        raise UserError(f"{path}: which of its columns has the photographs? Call it `image` (there: {there})")
    labels = [names[name] for name in LABELS if name in names and names[name] != photographs[0]]
    return photographs[0], *labels[:1]


def _holds_files(kind: Any) -> bool:
    """Whether an Arrow type is of bytes, or of bytes with a path."""
    if str(kind).startswith("struct"):
        return kind.get_field_index("bytes") >= 0 and _holds_files(kind.field("bytes").type)
    return str(kind) in ("binary", "large_binary")


def _in_blocks(arrow: Any, read: Callable[[int, str], Any]) -> Callable[[int, str], Block]:
    """Reads a block's column in two arrays."""

    def block(number: int, column: str) -> Block:
        values = read(number, column)
        values = values.combine_chunks() if isinstance(values, arrow.ChunkedArray) else values
        if not arrow.types.is_struct(values.type):
            return Block(values, None)
        has_path = values.type.get_field_index("path") >= 0
        return Block(values.field("bytes"), values.field("path") if has_path else None)

    return block


def _kept(read: Callable[[int, str], Any], most: int = 4) -> Callable[[int, str], Any]:
    """`read`, whose last results stay, and which threads call one at a time: they often want the same."""
    kept: collections.OrderedDict[tuple[int, str], Any] = collections.OrderedDict()
    lock = threading.Lock()

    def look(number: int, column: str) -> Any:
        with lock:
            key = (number, column)
            kept[key] = kept.pop(key) if key in kept else read(number, column)
            if len(kept) > most:
                kept.popitem(last=False)
            return kept[key]

    return look


def _name(path: str | None, head: bytes) -> str:
    """A file's own name, with the suffix of its kind where it has none; that suffix alone where it has no name."""
    name = PurePosixPath((path or "").replace("\\", "/")).name
    if PurePosixPath(name).suffix.lower() in SUFFIXES:
        return name
    return name + next((suffix for start, suffix in HEADS if head.startswith(start)), ".png")


_ENVIRONMENTS: dict[tuple[Path, int], Any] = {}  # which LMDB wants once in a process


class Lmdb(Container):
    """An LMDB of BasicSR's kind: meta_info.txt names the images, whose keys are the names without suffix."""

    def open(self) -> Any:
        """The database, in its folder."""
        lmdb = _package("lmdb", self.path)
        key = self.path.resolve(), self.path.stat().st_ino
        try:
            if key not in _ENVIRONMENTS:
                folder = str(self.path.parent)
                _ENVIRONMENTS[key] = lmdb.open(folder, readonly=True, lock=False, readahead=False, meminit=False)
        except (lmdb.Error, OSError) as error:
            raise self.damaged(error) from error
        return _ENVIRONMENTS[key]

    def entries(self) -> Iterator[Entry]:
        """The images of meta_info.txt; one without a value has no bytes: it is broken, not fatal."""
        listed, changed = self.path.parent / "meta_info.txt", self.path.stat().st_mtime_ns
        if not listed.is_file():
            raise UserError(f"{self.path.parent}: an LMDB is read by its meta_info.txt, as BasicSR writes it; add that")
        lines = listed.read_text(encoding="utf-8").splitlines()
        with self.opened.begin(buffers=True) as transaction:
            for line in filter(None, lines):  # 0001.png (480,640,3) 1
                name = re.sub(r" \([\d, ]*\).*$", "", line)
                key = str(PurePosixPath(name).with_suffix(""))
                size = len(transaction.get(key.encode()) or b"")
                if self.takes(name, size):
                    yield Entry(name, size, changed, key)

    def read(self, place: str) -> bytes:
        """The value of that key."""
        with self.opened.begin() as transaction:
            content = transaction.get(place.encode())
        if content is None:
            raise OSError(f"{self.path.parent} has nothing under the key {place!r}")
        return content


class TFRecords(Flat):
    """TFRecords of Progressive GAN and StyleGAN: `shape` (C, H, W) and `data`, uint8; without names, so by number."""

    @classmethod
    def chosen(cls, shards: Sequence[Path]) -> Sequence[Path]:
        """Of files for each power of two, the one of the largest photographs."""
        sizes = [re.search(r"-r(\d\d)$", path.stem) for path in shards]
        if not all(sizes):
            return shards
        most = max(size[1] for size in sizes if size)
        return [path for path in shards if path.stem.endswith(f"-r{most}")]

    def entries(self) -> Iterator[Entry]:
        """Every record, by the checksums of their lengths."""
        changed, size, place = self.path.stat().st_mtime_ns, self.path.stat().st_size, 0
        while place < size:
            header = super().read((place, 12)) if place + 12 <= size else b""
            if len(header) < 12 or self._checksum(header[:8]) != header[8:]:
                raise self.damaged(ValueError(f"no record begins at {place:,}"))
            (length,) = struct.unpack("<Q", header[:8])
            if place + length + 16 > size:
                raise self.damaged(ValueError(f"the record at {place:,} is cut short"))
            self.takes(f"the record at {place}", length)
            yield Entry(".png", length, changed, (place + 12, length + 4))  # lossless; its content says the rest
            place += length + 16

    def read(self, place: tuple[int, int]) -> bytes:
        """The photograph as a PPM, or PGM where it is grey."""
        from tensorflow_datasets.proto import tf_example_pb2

        content, checksum = (whole := super().read(place))[:-4], whole[-4:]
        if self._checksum(content) != checksum:
            raise OSError(f"the record at {place[0] - 12:,} in {self.path} does not match its checksum")
        try:
            features: Mapping[str, Any] = tf_example_pb2.Example.FromString(content).features.feature
            channels, height, width = features["shape"].int64_list.value
            (data,) = features["data"].bytes_list.value
        except (Error, ValueError) as error:
            raise OSError(f"a record in {self.path} has no `shape` (C, H, W) and `data`") from error
        if channels not in (1, 3) or len(data) != channels * height * width:
            raise OSError(f"a record in {self.path} has {len(data):,} bytes for {channels}x{height}x{width}")
        pixels = np.frombuffer(data, np.uint8).reshape(channels, height, width).transpose(1, 2, 0)  # [H,W,C]
        return f"P{5 if channels == 1 else 6} {width} {height} 255\n".encode() + pixels.tobytes()

    def _checksum(self, content: bytes) -> bytes:
        """CRC-32C, turned right by 15 bits, plus a constant."""
        crc = _package("google_crc32c", self.path).value(content)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + MASK_DELTA) & 0xFFFFFFFF)
