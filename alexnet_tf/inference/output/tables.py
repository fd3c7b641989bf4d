"""Tables of a network's outputs for other programs: .npy, .npz, .csv and .parquet.

They are written in blocks, so that memory does not limit the number of pictures. All hold the same
float32 numbers, a row per picture, and the pictures' names: for a .npy in NAME.names.txt beside it,
one a line; for a .npz in its member ``names``; otherwise in the column ``name``.
"""

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

import numpy as np

from alexnet_tf.errors import UserError
from alexnet_tf.system.files import atomic_write, check_replaceable, remove_leftovers, write_text
from alexnet_tf.system.text import encoded

# Largest number of rows in memory: 8 MB of fc7.
BLOCK = 512
# Characters of a number in a .csv, with its comma.
NUMBER = 13


@dataclass(frozen=True)
class Table:
    """Outputs of a `layer` with `units` values for each of `names`; `read` returns a slice of them,
    floats (n, units)."""

    layer: str
    units: int
    names: Sequence[str]
    read: Callable[[slice], np.ndarray]

    def blocks(self) -> Iterator[tuple[Sequence[str], np.ndarray]]:
        """Yield the names and the rows of up to `BLOCK` pictures at a time."""
        for start in range(0, len(self.names), BLOCK):
            part = slice(start, start + BLOCK)
            yield self.names[part], np.asarray(self.read(part), "<f4")


def check_table_path(path: Path, goes_on: bool = False) -> None:
    """Raise UserError for an unknown suffix, and for a file that exists already. The file of names
    may exist if a killed command `goes_on`: it is written first."""
    if path.suffix not in WRITERS:
        raise UserError(f"{path}: should end with {', '.join(WRITERS)}, which says the format")
    if path.suffix == ".parquet" and not find_spec("pyarrow"):
        raise UserError(
            f"{path}: Parquet needs pyarrow: pip install pyarrow, or give --out the name of a .npy,"
            " .npz or .csv"
        )
    for each in (path,) if path.suffix != ".npy" or goes_on else (path, names_path(path)):
        check_replaceable(each)
        if each.exists():
            raise UserError(f"{each}: is there already; delete it, or give --out another name")


def names_path(path: Path) -> Path:
    """Return the path of the names of a .npy."""
    return path.with_suffix(".names.txt")


def write_table(path: Path, table: Table) -> None:
    """Write the file `path` in the format of its suffix, atomically."""
    remove_leftovers(path.parent, [path.name])
    size = len(table.names) * table.units * (NUMBER if path.suffix == ".csv" else 4)
    with atomic_write(path, size) as temporary:
        WRITERS[path.suffix](temporary, table)
        if path.suffix == ".npy":
            write_text(names_path(path), "".join(f"{name}\n" for name in table.names))


def _write_npy(path: Path, table: Table) -> None:
    with open(path, "wb") as file:
        _write_array(file, table)


def _write_npz(path: Path, table: Table) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("features.npy", "w", force_zip64=True) as member:
            _write_array(member, table)
        with archive.open("names.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.array(table.names, str))


def _write_array(file: IO[bytes], table: Table) -> None:
    shape = len(table.names), table.units
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for _, values in table.blocks():
        file.write(values.tobytes())


def _write_csv(path: Path, table: Table) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        cells = csv.writer(file, lineterminator="")
        cells.writerow(["name", *(f"{table.layer}_{unit}" for unit in range(table.units))])
        # Nine digits distinguish any two float32 numbers.
        rest_of_line = ",%.9g" * table.units
        for names, values in table.blocks():
            for name, numbers in zip(names, values.tolist()):
                file.write("\n")
                cells.writerow([encoded(name)])
                file.write(rest_of_line % tuple(numbers))
        file.write("\n")


def _write_parquet(path: Path, table: Table) -> None:
    import pyarrow
    from pyarrow import parquet

    numbers = pyarrow.list_(pyarrow.float32(), table.units)
    schema = pyarrow.schema([("name", pyarrow.string()), (table.layer, numbers)])
    with parquet.ParquetWriter(path, schema) as file:
        for names, values in table.blocks():
            columns = pyarrow.FixedSizeListArray.from_arrays(values.ravel(), type=numbers)
            file.write_table(pyarrow.table([list(names), columns], schema))


WRITERS = {".npy": _write_npy, ".npz": _write_npz, ".csv": _write_csv, ".parquet": _write_parquet}
