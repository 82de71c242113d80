"""Shards as Parquet: a table of scalars for some neighbours of the population, the same bytes whenever it is made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kneeload.errors import InputError
from kneeload.population.design import Design
from kneeload.population.rows import FAILED, Layout

if TYPE_CHECKING:
    import pyarrow as pa


def people_of(design: Design, shard: int) -> tuple[int, int]:
    """First person of a shard, and how many."""
    first = shard * design.shard_size
    return first, min(design.shard_size, design.size - first)


def require_packages(design: Design) -> None:
    """Raise InputError that says what to install if tables or fields cannot be written."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise InputError("package pyarrow", where="population", got="not installed", allowed="an installation with it: pip install pyarrow", why="the table is written as Parquet") from None
    if design.fields:
        try:
            import zarr  # noqa: F401
        except ImportError:
            raise InputError("package zarr", where="population.fields", got="not installed", allowed="pip install 'kneeload[fields]', or population.fields=false",
                             why="fields are written as Zarr") from None


def schema_of(layout: Layout) -> pa.Schema:
    """Types of the columns."""
    import pyarrow as pa

    kinds = {"text": pa.string(), "whole": pa.int64(), "seed": pa.uint64(), "number": pa.float64()}
    return pa.schema([(name, kinds[kind]) for name, kind in layout.columns.items()])


def parquet(design: Design, layout: Layout, shard: int, rows: Sequence[Sequence[Any]]) -> bytes:
    """The file of a shard: rows in the order of people and scenarios, compressed with zstd."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = schema_of(layout)
    first, count = people_of(design, shard)
    about = {"kneeload.shard": json.dumps({"shard": shard, "first": first, "people": count, "seed": design.seed})}
    columns = [pa.array(column, type=field.type) for column, field in zip(zip(*rows), schema)]
    table = pa.table(columns, schema=schema.with_metadata(about))
    out = pa.BufferOutputStream()
    texts = [name for name, kind in layout.columns.items() if kind == "text"]
    pq.write_table(table, out, compression="zstd", use_dictionary=texts, write_statistics=["person"])
    return out.getvalue().to_pybytes()


def counts_in(data: bytes) -> tuple[int, int, int] | None:
    """Rows of a file, those of them that failed, and the sum of `resampled` over them; None if it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), columns=["status", "resampled"])
        return table.num_rows, table["status"].to_pylist().count(FAILED), sum(table["resampled"].to_pylist())
    except (pa.ArrowException, OSError, KeyError):
        return None
