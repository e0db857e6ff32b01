"""Arguments with which tests call the scripts of stages."""

import json
from pathlib import Path

from scripts.common import tables
from scripts.common.tables import Row

# An encoding of the config that is quickly made.
ENCODING = {
    "fps": 25,
    "short_side": 64,
    "crf": 18,
    "preset": "ultrafast",
    "audio": False,
}


def shard_arguments(
    folder: Path, rows: list[Row], options: dict, *more: str
) -> list[str]:
    """Write a table and return the command line that makes <folder>/made.tsv of it."""
    tables.write(folder / "table.tsv", rows)
    arguments = ["--table", str(folder / "table.tsv")]
    arguments += ["--manifest", str(folder / "made.tsv"), "--threads", "2"]
    return [*arguments, "--options", json.dumps(options), *more]
