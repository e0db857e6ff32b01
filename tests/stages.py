"""Arguments with which tests call the scripts of stages."""

import json
from pathlib import Path

from scripts.common import tables
from scripts.common.tables import Row


def shard_arguments(
    folder: Path, rows: list[Row], options: dict, *more: str
) -> list[str]:
    """Write a table and return the command line that makes <folder>/made.tsv of it."""
    tables.write(folder / "table.tsv", rows)
    arguments = ["--table", str(folder / "table.tsv")]
    arguments += ["--manifest", str(folder / "made.tsv"), "--threads", "2"]
    return [*arguments, "--options", json.dumps(options), *more]
