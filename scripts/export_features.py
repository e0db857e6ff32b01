"""Write features in other forms: `python -m scripts.export_features FILE --to FORM`.

Input:  HDF5 made by extract_features or aggregate_features, of either layout.
Output, below a directory; <slug> is the video's name in file names:
    npy         <slug>_<array>.npy, as video_features has them
    pickle      <slug>_<array>.pkl, likewise: one NumPy array each
    parquet     features.parquet, a row a window: video, window, start, end, <array> …
                steps.parquet, likewise a row a step, for what goes over whole videos
                and has features in time: video, step, start, end, <array> …
    webdataset  00000.tar …: <slug>.<array>.npy and <slug>.json, a dot in it as `=2E`
"""

import io
import json
import pickle
import sys
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from scripts.common import cli, files
from scripts.common.engine.parts import STEP_TIMES, TIMES
from scripts.common.ids import slug
from scripts.common.store import Arrays, FeatureStore, NotFeatures

# Videos in a file, or written at once.
IN_A_TAR, AT_ONCE = 10_000, 256

Videos = Iterable[tuple[str, Arrays]]


def to_npy(videos: Videos, target: Path) -> None:
    """Write a NumPy file for each video and array."""
    for video_id, arrays in videos:
        for name, array in arrays.items():
            with files.atomic(target / f"{slug(video_id)}_{name}.npy") as temporary:
                np.save(temporary, array)


def to_pickle(videos: Videos, target: Path) -> None:
    """Write a pickled array for each video and array."""
    for video_id, arrays in videos:
        for name, array in arrays.items():
            with files.atomic(target / f"{slug(video_id)}_{name}.pkl") as temporary:
                temporary.write_bytes(pickle.dumps(array))


def to_parquet(
    videos: Videos, target: Path, unit: str = "window", times: str = TIMES
) -> None:
    """Write one table; a row's array becomes a flat list.

    videos: with arrays of as many rows as the times have.
    target: the file.
    unit: what a row is.
    times: the array of begins and ends.

    Raises:
        ValueError: an array has other rows than the times; or there is no video.
    """
    import pyarrow
    from pyarrow import parquet

    def table(video_id: str, arrays: Arrays) -> pyarrow.Table:
        spans = arrays[times]
        columns = {
            "video": [video_id.encode("utf-8", "replace").decode()] * len(spans),
            unit: range(len(spans)),
            "start": spans[:, 0],
            "end": spans[:, 1],
        }
        for name, array in arrays.items():
            if name == times:
                continue
            if len(array) != len(spans):
                raise ValueError(
                    f"'{name}' of {video_id} has {len(array)} rows, and {times} has"
                    f" {len(spans)}: name the other arrays with --arrays"
                )
            width = int(np.prod(array.shape[1:], dtype=int))
            values = pyarrow.array(array.ravel())
            columns[name] = pyarrow.FixedSizeListArray.from_arrays(values, width)
        return pyarrow.table(columns)

    with files.atomic(target) as temporary:
        writer = None
        for batch in _batches(videos, AT_ONCE):
            rows = pyarrow.concat_tables([table(*video) for video in batch])
            writer = writer or parquet.ParquetWriter(temporary, rows.schema)
            writer.write_table(rows)
        if writer is None:
            raise ValueError("there is no video")
        writer.close()


def by_step(store: FeatureStore, names: Iterable[str]) -> list[str]:
    """Return which arrays have a row for each step of a video, and none for a window.

    All videos are looked at: a short one may have one of either.
    """

    def rows_are_those_of(times: str, name: str) -> bool:
        counts = ((store.count(v, name), store.count(v, times)) for v in store.ids)
        return all(rows == expected for rows, expected in counts)

    if STEP_TIMES not in store.names or rows_are_those_of(TIMES, STEP_TIMES):
        return []
    return [name for name in names if rows_are_those_of(STEP_TIMES, name)]


def to_webdataset(videos: Videos, target: Path) -> None:
    """Write tar files that WebDataset reads: a sample is a video."""
    for number, batch in enumerate(_batches(videos, IN_A_TAR)):
        with (
            files.atomic(target / f"{number:05d}.tar") as temporary,
            tarfile.open(temporary, "w") as tar,
        ):
            for video_id, arrays in batch:
                # WebDataset takes what follows the first dot for the member's kind.
                key = slug(video_id).replace(".", "=2E")
                _add(tar, f"{key}.json", json.dumps({"id": video_id}).encode())
                for name, array in arrays.items():
                    data = io.BytesIO()
                    np.save(data, array)
                    _add(tar, f"{key}.{name}.npy", data.getvalue())


FORMS: dict[str, Callable[[Videos, Path], None]] = {
    "npy": to_npy,
    "pickle": to_pickle,
    "webdataset": to_webdataset,
}


def export(store: FeatureStore, names: Iterable[str], form: str, target: Path) -> None:
    """Write arrays of a file in a form below a directory."""

    def videos(some: Iterable[str]) -> Videos:
        for video_id in tqdm(store.ids, unit="video", disable=None):
            yield video_id, {name: store.read(video_id, name) for name in some}

    if form != "parquet":
        FORMS[form](videos(names), target)
        return
    steps = by_step(store, names)
    windows = dict.fromkeys([*names, TIMES])
    windows = [name for name in windows if name not in steps]
    to_parquet(videos(windows), target / "features.parquet")
    if steps:
        steps = list(dict.fromkeys([*steps, STEP_TIMES]))
        to_parquet(videos(steps), target / "steps.parquet", "step", STEP_TIMES)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _batches(videos: Videos, size: int) -> Iterator[Videos]:
    """Yield the videos in groups, each to be read before the next one."""
    iterator = iter(videos)
    for first in iterator:

        def group(first=first):
            yield first
            for _, video in zip(range(size - 1), iterator, strict=False):
                yield video

        yield group()


def main(argv: list[str] | None = None) -> None:
    """Export one file."""
    parser = cli.command("export_features", __doc__)
    parser.add_argument("file", type=Path, help="HDF5 with features")
    parser.add_argument(
        "--to", choices=[*FORMS, "parquet"], required=True, help="the form"
    )
    parser.add_argument(
        "--output", type=Path, help="directory (default: FILE without .h5, -FORM)"
    )
    parser.add_argument(
        "--arrays",
        type=lambda text: text.split(","),
        metavar="NAME,…",
        help="which to export (default: all; parquet always has the times)",
    )
    arguments = parser.parse_args(argv)
    file, form = arguments.file, arguments.to
    target = arguments.output or file.with_name(f"{file.stem}-{form}")
    try:
        store = FeatureStore(file)
        export(store, arguments.arrays or store.names, form, target)
    except (NotFeatures, FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
    except KeyError as error:
        sys.exit(f"error: {error}; there are {', '.join(store.names)}")
    print(f"{len(store)} videos are in {target}")


if __name__ == "__main__":
    main()
