"""Files out of Debian packages (.deb), Qt resource files (.rcc) and Enlightenment's EET files (.edj).

Nothing is unpacked to disk, and nothing that a container says of itself is believed: every place and length is held
against what is there, what unpacks to more than a bound is refused, and so is a name that leads out of the container.
Each reader raises one of `DAMAGED`.
"""

from __future__ import annotations

import lzma
import struct
import tarfile
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO

DAMAGED = (ValueError, EOFError, lzma.LZMAError, tarfile.TarError, zlib.error)
MAX_BYTES = 2**28  # of one file
MAX_UNPACKED = 2**32  # of a package
MAX_MEMORY = 2**28  # that its dictionary may take: xz -9 needs a quarter
CHUNK = 2**20
FOLDER, ZLIB, ZSTD = 2, 1, 4  # flags of a Qt resource
EET_MAGIC, EET_COMPRESSED = 0x1EE70F42, 1


def package_files(package: Path, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Those regular files of a .deb that are wanted, by path without a leading "./", in the package's order.

    OSError where it cannot be read; one of DAMAGED where its contents, which are all looked at, make no sense.
    """
    with package.open("rb") as file:
        stream: Any = _Unpacked(file, _seek_data(file))  # tarfile asks it for nothing but bytes
        with tarfile.open(fileobj=stream, mode="r|", bufsize=CHUNK) as archive:
            for member in archive:
                name = _inside(member.name)
                if name in wanted and member.isreg():
                    opened = archive.extractfile(member)
                    yield name, opened.read() if opened and member.size <= MAX_BYTES else _absurd(name, member.size)


def rcc_file(content: bytes, wanted: str) -> bytes | None:
    """The file at path `wanted` in a Qt resource file, None where it has none.

    One of DAMAGED where any of its folders leads nowhere, or the file does not unpack.
    """
    magic, version, tree, data, names = _numbers(">4s4I", content, 0)
    if magic != b"qres" or version not in (1, 2, 3):
        raise ValueError("it is no Qt resource file")
    size = 14 if version == 1 else 22  # of a node; later ones have a time of change
    waiting, seen, found = [(0, "")], set(), None
    while waiting:
        number, folder = waiting.pop()
        if number in seen:
            raise ValueError("its folders hold each other")
        seen.add(number)
        node = tree + size * number
        name, flags = _numbers(">IH", content, node)
        path = _inside(f"{folder}/{_rcc_name(content, names + name)}".lstrip("/")) if number else ""
        if flags & FOLDER:
            count, first = _numbers(">2I", content, node + 6)
            _cut(content, tree + size * first, size * count)
            waiting.extend((child, path) for child in range(first, first + count))
        elif path == wanted:
            (start,) = _numbers(">I", content, node + 10)
            found = _rcc_data(content, data + start, flags)
    return found


def edj_entry(content: bytes, wanted: str) -> bytes | None:
    """The entry called `wanted` of an EET file, such as the JPEG at "edje/images/0", None where it has none.

    One of DAMAGED where any of its entries leads nowhere, or this one is compressed.
    """
    magic, count, _ = _numbers(">3I", content, 0)
    if magic != EET_MAGIC:
        raise ValueError("it is no EET file")
    _cut(content, 12, 24 * count)
    found = None
    for place in range(12, 12 + 24 * count, 24):
        start, size, unpacked, name, length, flags = _numbers(">6I", content, place)
        data = _cut(content, start, size)
        if _inside(_cut(content, name, length).rstrip(b"\0").decode()) == wanted:
            if flags & EET_COMPRESSED or size != unpacked:
                raise ValueError(f"{wanted} is compressed, which is not read")
            found = data
    return found


class _Unpacked:
    """The xz-compressed data of a package as tarfile reads a stream."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left, self._room = file, size, MAX_UNPACKED
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_MEMORY)

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        while not self._decompressor.eof:
            packed = b""
            if self._decompressor.needs_input:
                packed = self._file.read(min(CHUNK, self._left))
                self._left -= len(packed)
                if not packed:
                    raise EOFError("it ends in the middle")
            data = self._decompressor.decompress(packed, size)
            self._room -= len(data)
            if self._room < 0:
                raise ValueError(f"it unpacks to more than {MAX_UNPACKED:,} bytes")
            if data:
                return data
        return b""


def _seek_data(file: BinaryIO) -> int:
    """Goes to a package's files, a member of its ar archive; their compressed size."""
    if file.read(8) != b"!<arch>\n":
        raise ValueError("it is no Debian package")
    while header := file.read(60):
        name, digits = header[:16].rstrip(b" /"), header[48:58].strip()
        if len(header) < 60 or header[58:] != b"`\n" or not digits.isdigit():
            raise ValueError("its parts cannot be told apart")
        if name == b"data.tar.xz":
            return int(digits)
        if name.startswith(b"data.tar"):
            raise ValueError(f"{name.decode()} is not read, only data.tar.xz")
        file.seek(int(digits) + int(digits) % 2, 1)
    raise ValueError("it has no data.tar.xz")


def _rcc_name(content: bytes, place: int) -> str:
    (length,) = _numbers(">H", content, place)
    name = _cut(content, place + 6, 2 * length).decode("utf-16-be")
    if not name or "/" in name:
        raise ValueError(f"it names a file {name!r}")
    return name


def _rcc_data(content: bytes, place: int, flags: int) -> bytes:
    (length,) = _numbers(">I", content, place)
    data = _cut(content, place + 4, length)
    if flags & ZSTD:
        raise ValueError("a file is compressed by zstd, which is not read")
    if not flags & ZLIB:
        return data
    (size,) = _numbers(">I", data, 0)
    if size > MAX_BYTES:
        _absurd("a file", size)
    unpacked = zlib.decompressobj().decompress(data[4:], size + 1)
    if len(unpacked) != size:
        raise ValueError(f"a file does not unpack to the {size:,} bytes that it claims")
    return unpacked


def _cut(content: bytes, start: int, size: int) -> bytes:
    """That piece of a container, which must have it."""
    if start + size > len(content):
        raise EOFError(f"it points to {size:,} bytes at {start:,}, but has {len(content):,}")
    return content[start : start + size]


def _numbers(form: str, content: bytes, start: int) -> tuple[Any, ...]:
    return struct.unpack(form, _cut(content, start, struct.calcsize(form)))


def _inside(name: str) -> str:
    """The name without "./" before it."""
    if name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise ValueError(f"it has a file {name!r}, whose path leads out of it")
    return name.removeprefix("./")


def _absurd(name: str, size: int) -> bytes:
    raise ValueError(f"{name} claims {size:,} bytes, more than the {MAX_BYTES:,} that are read")
