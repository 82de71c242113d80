"""Read a table of numbers from CSV or from an OpenSim .mot/.sto file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError

_LARGEST_FILE_BYTES = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A table as it stands in the file.

    Attributes:
        path: the file.
        names: column names.
        values: (rows, columns), in the file's own units.
        first_line: line number of the first row in the file.
        in_degrees: what an OpenSim header says about angles; True for CSV, where the column name says the unit.
    """

    path: Path
    names: tuple[str, ...]
    values: NDArray[np.float64]
    first_line: int
    in_degrees: bool

    def column(self, name: str) -> NDArray[np.float64]:
        """(rows,) values of one column."""
        return self.values[:, self.names.index(name)]


def read_table(path: str | Path) -> Table:
    """Read a .csv, .mot or .sto file.

    Raises:
        InputError: the file is missing, is not text, has no rows, a ragged row, a repeated column or a cell that is not a finite number.
    """
    path = Path(path)
    lines = _lines(path)
    if path.suffix.lower() in (".mot", ".sto"):
        return _storage(path, lines)
    if path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        raise _bad("recorded motion", path, path.suffix, "a .csv, .mot or .sto file", "other formats are not read")
    separator = max(",;\t", key=lines[0].count) if lines else ","
    return _table(path, lines, 0, separator, True)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise _bad("recorded motion", path, "no such file", "an existing file", "nothing can be read from it")
    if path.stat().st_size > _LARGEST_FILE_BYTES:
        raise _bad("recorded motion", path, f"{path.stat().st_size} bytes", "a file below 200 MB", "one cycle of motion is much smaller")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise _bad("recorded motion", path, "bytes that are not UTF-8 text", "a text file", "tables of motion are text") from error
    if "\x00" in text:
        raise _bad("recorded motion", path, "bytes that are not UTF-8 text", "a text file", "tables of motion are text")
    return text.splitlines()


def _storage(path: Path, lines: list[str]) -> Table:
    """OpenSim storage: a header of `key=value` lines, `endheader`, the column names, the rows."""
    ends = [number for number, line in enumerate(lines[:500]) if line.strip().lower() == "endheader"]
    if not ends:
        raise _bad("header", path, "no line 'endheader'", "an OpenSim .mot or .sto file", "the columns follow that line")
    header = {}
    for line in lines[: ends[0]]:
        key, _, value = line.replace("=", " ", 1).strip().partition(" ")
        header[key.lower()] = value.strip().lower()
    start = ends[0] + 1
    while start < len(lines) and not lines[start].strip():
        start += 1
    return _table(path, lines, start, None, header.get("indegrees", "yes") != "no")


def _table(path: Path, lines: list[str], start: int, separator: str | None, in_degrees: bool) -> Table:
    if start >= len(lines) or not lines[start].strip():
        raise _bad("recorded motion", path, "an empty file", "a line of column names and at least 20 rows", "there is nothing to read")
    names = tuple(name.strip().strip('"') for name in lines[start].split(separator))
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise _bad("column names", path, ", ".join(repeated), "different from each other", "a repeated name does not say which column is meant")
    body = lines[start + 1:]
    while body and not body[-1].strip():
        body.pop()
    rows = [_row(path, line, start + 2 + offset, names, separator) for offset, line in enumerate(body)]
    return Table(path=path, names=names, values=np.array(rows, dtype=np.float64).reshape(len(rows), len(names)), first_line=start + 2,
                 in_degrees=in_degrees)


def _row(path: Path, line: str, number: int, names: tuple[str, ...], separator: str | None) -> list[float]:
    cells = line.split(separator)
    if len(cells) != len(names):
        raise _bad(f"line {number}", path, f"{len(cells)} cells", f"{len(names)} cells, one for each column", "a row with missing or extra cells cannot be assigned")
    values = []
    for name, cell in zip(names, cells, strict=True):
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise _bad(f"column {name}, line {number}", path, cell.strip(), "a finite number", "a gap in the recording has to be filled before it is used")
        values.append(value)
    return values


def _bad(what: str, path: Path, got: object, allowed: str, why: str) -> InputError:
    return InputError(what, where=str(path), got=got, allowed=allowed, why=why)
