"""Put the features of all shards into one HDF5 file.

Input:  the shards' manifests, with their HDF5 files beside them.
Output: one HDF5 file, its layout `grouped` or `flat` (see scripts/common/store.py), and
        a table with a row for every video of the dataset, those without features too.

Videos are copied one after the other: memory does not grow with their number, but for
a few hundred bytes each.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from scripts.common import cli, files, store, tables
from scripts.common.index import read_shards
from scripts.common.journal import locked
from scripts.common.tables import Row


class MixedFeatures(ValueError):
    """Shards hold features that were not made in the same way."""


def common_provenance(paths: list[Path]) -> dict:
    """Return what made the features of all shards.

    Raises:
        MixedFeatures: two shards differ; the message names what differs.
    """
    first = store.provenance(paths[0])
    for path in paths[1:]:
        other = store.provenance(path)
        for name in first:
            if name != "software" and other.get(name) != first[name]:
                raise MixedFeatures(
                    f"{path} was made with {name} = {other.get(name)},"
                    f" {paths[0]} with {first[name]}; delete both files' .tsv and run"
                    " snakemake again"
                )
    return first


def sources(
    manifests: list[Path], wanted: Callable[[Row], bool] = lambda row: True
) -> Iterator[tuple[Path, list[str]]]:
    """Yield each shard's HDF5 file with the ids of its videos that are wanted."""
    for manifest in tqdm(manifests, unit="shard", disable=not sys.stderr.isatty()):
        rows = tables.read(manifest)
        if ids := [row.id for row in rows if row.ok and wanted(row)]:
            yield manifest.with_suffix(".h5"), ids


def main(argv: list[str] | None = None) -> None:
    """Aggregate the features of one dataset and model."""
    parser = cli.command("aggregate_features", __doc__)
    parser.add_argument(
        "--folder", type=Path, required=True, help="where the shards' manifests are"
    )
    parser.add_argument(
        "--shards",
        type=Path,
        required=True,
        metavar="TSV",
        help="the table of the dataset's shards, index/shards.tsv",
    )
    cli.add_options(parser, "`layout`, and `version`")
    parser.add_argument("--features", type=Path, required=True, help="HDF5 to write")
    parser.add_argument("--table", type=Path, required=True, help="table to write")
    arguments = parser.parse_args(argv)
    shards = read_shards(arguments.shards)
    manifests = [arguments.folder / f"{shard}.tsv" for shard in shards]
    try:
        provenance = common_provenance([path.with_suffix(".h5") for path in manifests])
    except MixedFeatures as error:
        sys.exit(f"error: {error}")
    write = {"grouped": store.merge, "flat": store.flatten}
    layout, features = arguments.options["layout"], arguments.features
    with locked(features.with_suffix(".lock")):
        files.remove_leftovers(features.parent, f"{features.stem}.")
        write[layout](features, sources(manifests), provenance)
    rows = sorted(tables.read_all(manifests), key=lambda row: row.id)
    tables.write(arguments.table, rows)
    print(f"{sum(row.ok for row in rows)} of {len(rows)} videos have features")


if __name__ == "__main__":
    main()
