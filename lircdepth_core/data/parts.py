# Copyright 2026 lircdepth maintainers
# SPDX-License-Identifier: Apache-2.0
"""The rows of a safetensors file while it is made: in many small files, which are put together without holding them.

The memory that it takes does not grow with the number of rows, and what was made before a run was stopped is not made
again.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from lircdepth_core.errors import LircDepthError
from lircdepth_core.files import written_whole

Row: TypeAlias = dict[str, npt.NDArray[Any]]

_IDENTITY = "identity"
TYPES = {"u1": "U8", "u2": "U16", "i4": "I32", "i8": "I64", "f2": "F16", "f4": "F32", "f8": "F64", "b1": "BOOL"}
_ALIGNMENT = 8  # bytes, of the first tensor in a safetensors file


class Parts:
    """A hidden folder beside the file that is made. identity: of all its rows; parts of other rows are removed.

    padded: names of the columns whose last axis differs from row to row; zeros fill it up.
    """

    def __init__(self, path: Path, identity: str, padded: Sequence[str] = ()) -> None:
        self.folder, self._padded = path.with_name(f".{path.stem}.parts"), padded
        told = self.folder / _IDENTITY
        if self.folder.exists() and (not told.is_file() or told.read_text() != identity):
            shutil.rmtree(self.folder)
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            with written_whole(told) as partial:
                partial.write_text(identity)

    def is_made(self, number: int) -> bool:
        """Return whether a part is there."""
        return self._part(number).is_file()

    def write(self, number: int, rows: Sequence[Row]) -> None:
        """Keep the rows of a part."""
        named = {f"{index}/{name}": value for index, row in enumerate(rows) for name, value in row.items()}
        with written_whole(self._part(number)) as partial:
            np.savez(partial, **named)

    def assemble(self, path: Path, numbers: Sequence[int], metadata: Mapping[str, str]) -> None:
        """Write the rows of parts, in the order of ``numbers``, as one safetensors file, and remove the parts.

        Raises LircDepthError where rows differ in their columns.
        """
        forms: list[dict[str, tuple[np.dtype[Any], tuple[int, ...]]]] = []
        for number in numbers:
            forms += ({name: (value.dtype, value.shape) for name, value in row.items()} for row in self._rows(number))
        columns = self._columns(path, forms)
        with written_whole(path) as partial, open(partial, "wb") as file:
            _write_header(file, columns, metadata)
            for name, (dtype, shape) in columns.items():
                for number in numbers:
                    for row in self._rows(number, name):
                        value = row[name]
                        widths = [(0, full - own) for own, full in zip(value.shape, shape[1:], strict=True)]
                        np.ascontiguousarray(np.pad(value, widths), dtype).tofile(file)
        shutil.rmtree(self.folder)

    def _columns(
        self, path: Path, forms: Sequence[Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]]]
    ) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
        """Return {name: (dtype, shape)} of the file's tensors, in its order: the widest numbers first."""
        columns = {}
        for name, (dtype, shape) in sorted(forms[0].items(), key=lambda item: (-item[1][0].itemsize, item[0])):
            most = tuple(np.max([form[name][1] for form in forms if name in form], axis=0).tolist())
            for form in forms:
                same = form.keys() == forms[0].keys() and form[name][0] == dtype
                fixed = form.get(name, (dtype, ()))[1][: -1 if name in self._padded else None]
                if not same or fixed != shape[: -1 if name in self._padded else None]:
                    raise LircDepthError(f"{path}: frames differ in what they hold ({name}: {form.get(name)})")
            columns[name] = dtype, (len(forms), *most)
        return columns

    def _rows(self, number: int, only: str | None = None) -> Iterator[Row]:
        """Yield the rows of a part, one after the other; ``only``: with this column alone."""
        with np.load(self._part(number)) as part:
            found: dict[int, list[str]] = {}
            for key in part.files:
                found.setdefault(int(key.partition("/")[0]), []).append(key)
            for index in sorted(found):
                keys = [key for key in found[index] if only in (None, key.partition("/")[2])]
                yield {key.partition("/")[2]: part[key] for key in keys}

    def _part(self, number: int) -> Path:
        return self.folder / f"{number:08d}.npz"


def _write_header(
    file: BinaryIO, columns: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]], metadata: Mapping[str, str]
) -> None:
    entries: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, (dtype, shape) in columns.items():
        begin, end = end, end + int(np.prod(shape)) * dtype.itemsize
        entries[name] = {"dtype": TYPES[dtype.str[1:]], "shape": list(shape), "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
