"""Put the features of several models of the same videos side by side.

Input:  each model's HDF5 file, with its table beside it.
Output: one HDF5 file in the layout of the first model's, and a table with a row for
        every video; one that a model has no features of has its reason.

What all models give of a video is concatenated along its last axis, in their order;
`logits` and `step_logits` are averaged, as two-stream networks do with their scores.
Times must be the same. Videos are read and written block by block: memory grows neither
with their number nor with their length.
"""

import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from scripts.common import cli, files, store, tables
from scripts.common.engine.parts import STEP_TIMES, TIMES, VideoWriter
from scripts.common.ids import fingerprint
from scripts.common.journal import locked
from scripts.common.store import FeatureStore
from scripts.common.tables import Row
from scripts.common.versions import VERSIONS

SCORES = ("logits", "step_logits")
# What is read of the models' arrays at a time.
BLOCK_NUMBERS = 2**22


class Apart(ValueError):
    """Models do not give the same steps at the same times."""


def beside(name: str, blocks: list[np.ndarray]) -> np.ndarray:
    """Return the same rows of an array of several models as one array.

    Args:
        name: of the array.
        blocks: each (rows, …, D), the same but for D; of scores, for D too.
    """
    if name in SCORES:
        return np.mean(blocks, axis=0, dtype=np.float64).astype(blocks[0].dtype)
    return np.concatenate(blocks, axis=-1)


def join(group: h5py.Group, stores: list[FeatureStore], video_id: str) -> None:
    """Write a video's joined arrays into its group.

    Raises:
        Apart: the video has other steps, or other times, in one of the files.
    """
    shared = set.intersection(*(set(held.names) for held in stores))
    for name in sorted(shared & {TIMES, STEP_TIMES}):
        first, *others = (held.read(video_id, name) for held in stores)
        for other in others:
            if first.shape != other.shape or not np.allclose(first, other, atol=1e-6):
                raise Apart(f"the {name} of '{video_id}' are not the same")
    for name in sorted(shared):
        counts = [held.count(video_id, name) for held in stores]
        if len(set(counts)) > 1:
            raise Apart(f"'{video_id}' has {name} of {counts} steps")
        numbers = sum(np.prod(held.shape(name), dtype=int) for held in stores)
        rows = max(1, BLOCK_NUMBERS // int(numbers))
        for begin in range(0, max(counts[0], 1), rows):
            some = slice(begin, begin + rows)
            blocks = [held.read(video_id, name, some) for held in stores]
            block = blocks[0] if name in (TIMES, STEP_TIMES) else beside(name, blocks)
            if begin == 0:
                shape = counts[0], *block.shape[1:]
                group.create_dataset(name, shape, block.dtype)
            group[name][some] = block


def common_provenance(stores: dict[str, FeatureStore]) -> dict:
    """Return what made the joined features.

    That is what the models share, and each one's own under `streams`, in the order in
    which they are joined. Weights that mean nothing come first, so that whoever shows
    the file sees them.
    """
    each = {name: held.provenance for name, held in stores.items()}
    first, *others = each.values()
    shared = {
        key: value
        for key, value in first.items()
        if all(other.get(key) == value for other in others)
    }
    weights = {made["weights"]: None for made in each.values()}
    in_order = sorted(weights, key=lambda text: not text.startswith("random"))
    return shared | {
        "model": " + ".join(made["model"] for made in each.values()),
        "weights": " + ".join(in_order),
        "streams": [{"name": name, **made} for name, made in each.items()],
    }


def joined_rows(tables_of_models: list[list[Row]], target: Path) -> list[Row]:
    """Return a row for every video, sorted by id: of a failed one the first reason."""
    by_id = [{row.id: row for row in rows} for rows in tables_of_models]
    rows = []
    for video_id, first in sorted(by_id[0].items()):
        rows_of_video = [rows_by_id[video_id] for rows_by_id in by_id]
        failed = next((row for row in rows_of_video if not row.ok), None)
        keys = [row.key for row in rows_of_video]
        version = VERSIONS["join_streams"]
        key = fingerprint(stage="join_streams", version=version, inputs=keys)
        rows.append(replace(failed or first, key=key))
        if not failed:
            rows[-1] = replace(rows[-1], path=str(target), bytes=None)
    return rows


def write(
    target: Path, rows: list[Row], stores: list[FeatureStore], provenance: dict
) -> None:
    """Write the joined features of all rows that are ok, in one layout or the other."""
    rows = [row for row in rows if row.ok]
    grouped = files.temporary_for(target.with_suffix(".grouped"))
    try:
        with h5py.File(grouped, "w") as file:
            for row in tqdm(rows, unit="video", disable=not sys.stderr.isatty()):
                join(VideoWriter(file, row.id, row.key).group, stores, row.id)
        put = {"grouped": store.merge, "flat": store.flatten}[stores[0].layout]
        put(target, [(grouped, [row.id for row in rows])], provenance)
    finally:
        grouped.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> None:
    """Join the features of one dataset."""
    parser = cli.command("join_streams", __doc__)
    parser.add_argument(
        "--streams",
        type=Path,
        nargs="+",
        required=True,
        metavar="HDF5",
        help="the models' features; their tables are beside them",
    )
    parser.add_argument("--features", type=Path, required=True, help="HDF5 to write")
    parser.add_argument("--table", type=Path, required=True, help="table to write")
    arguments = parser.parse_args(argv)
    stores = {path.stem: FeatureStore(path) for path in arguments.streams}
    manifests = [path.with_suffix(".tsv") for path in arguments.streams]
    rows = joined_rows([tables.read(path) for path in manifests], arguments.features)
    held, features = list(stores.values()), arguments.features
    try:
        with locked(features.with_suffix(".lock")):
            files.remove_leftovers(features.parent, f"{features.stem}.")
            write(features, rows, held, common_provenance(stores))
    except Apart as error:
        sys.exit(f"error: {' and '.join(stores)}: {error}")
    tables.write(arguments.table, rows)
    print(f"{sum(row.ok for row in rows)} of {len(rows)} videos have all streams")


if __name__ == "__main__":
    main()
