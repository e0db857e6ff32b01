"""Features in HDF5: one group a video, attributes that say what made them.

/                         attributes: format, provenance (JSON), model, weights, …
/<slug>/features          (T, D), one row a window
/<slug>/<other feature>   (T, …), if asked for: `logits`, …
/<slug>/timestamps        (T, 2), begin and end in seconds of the original video
/<slug>                   attributes: id, key
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np

from scripts.common import files
from scripts.common.ids import slug, unslug

FORMAT = "reelset features 1"


class NotFeatures(ValueError):
    """A file is not one of ours."""


def write_video(
    group: h5py.Group, video_id: str, key: str, arrays: dict[str, np.ndarray]
) -> None:
    """Write one video's arrays into its group of a file."""
    video = group.create_group(slug(video_id))
    # HDF5 takes no text that is not Unicode; the name of the group is exact.
    readable = video_id.encode("utf-8", "replace").decode()
    video.attrs.update(id=readable, key=key)
    for name, array in arrays.items():
        video.create_dataset(name, data=array)


def write_part(
    path: Path, video_id: str, key: str, arrays: dict[str, np.ndarray]
) -> int:
    """Write one video's arrays as a file of its own; return its size in bytes."""
    with files.atomic(path) as temporary:
        with h5py.File(temporary, "w") as file:
            write_video(file, video_id, key, arrays)
        return temporary.stat().st_size


def keys(path: Path) -> dict[str, str]:
    """Return the key of each group by its slug; nothing where there is no file."""
    if not path.exists():
        return {}
    with h5py.File(path) as file:
        return {name: group.attrs["key"] for name, group in file.items()}


def merge(
    target: Path, sources: Iterable[tuple[Path, list[str]]], provenance: dict
) -> None:
    """Write one file with the groups of several, in the order given, atomically.

    Args:
        target: file to make; it may be one of the sources.
        sources: files with the ids of the videos to take from each.
        provenance: what made the features, as JSON-able values.
    """
    with files.atomic(target) as temporary, h5py.File(temporary, "w") as merged:
        merged.attrs.update(attributes(provenance))
        for path, video_ids in sources:
            with h5py.File(path) as source:
                for name in map(slug, video_ids):
                    source.copy(name, merged)


def attributes(provenance: dict) -> dict[str, str]:
    """Return the file attributes for a provenance; weights that mean nothing say so."""
    return {
        "format": FORMAT,
        "model": provenance["model"],
        "weights": provenance["weights"],
        "provenance": json.dumps(provenance, sort_keys=True),
    }


def provenance(path: Path) -> dict:
    """Return what made a file's features.

    Raises:
        NotFeatures: the file is not one of ours.
    """
    if not h5py.is_hdf5(path):
        raise NotFeatures(f"{path} is no HDF5 file")
    with h5py.File(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise NotFeatures(f"{path} holds other things than features of ours")
        return json.loads(file.attrs["provenance"])


def read(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield each video's id and arrays, sorted by slug."""
    with h5py.File(path) as file:
        for name, group in file.items():
            yield unslug(name), {key: data[()] for key, data in group.items()}
