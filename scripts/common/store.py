"""Features in HDF5, in one of two layouts, with attributes that say what made them.

`grouped`: one group a video, for all who know h5py.

/                         attributes: format, layout, provenance (JSON), model, weights
/<slug>/features          (T, D), one row a window
/<slug>/<other feature>   (T, …), if asked for: `logits`, …
/<slug>/timestamps        (T, 2), begin and end in seconds of the original video
/<slug>                   attributes: id, key

`flat`: one array a feature, for 100,000 videos and more. Video n of `ids` has rows
offsets[n] to offsets[n + 1] of an array; features by step may have other offsets.

/                         attributes as above
/ids, /keys               (V,), slugs and keys of the videos
/features, /timestamps …  (all rows of all videos, …)
/offsets/<array>          (V + 1,), where each video's rows begin

`FeatureStore` reads both alike. Arrays are not compressed: features shrink by 10 % with
lzf and by 20 % with gzip, and reading a few rows would take ten times as long or more.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from scripts.common import files
from scripts.common.engine.parts import Arrays
from scripts.common.flat_arrays import FlatReader, FlatWriter
from scripts.common.ids import slug, unslug

FORMAT = "reelset features 1"
LAYOUTS = ("grouped", "flat")


class NotFeatures(ValueError):
    """A file is not one of ours."""


class FeatureStore(Mapping[str, Arrays]):
    """The features of a file by the id of the video, whichever layout it has.

        store = FeatureStore("results/mine/features/s3d_k400.h5")
        store["run/a.mp4"]["features"]     # (T, D)
        store.read("run/a.mp4", "logits")  # one array alone

    It can be handed to other processes, such as the workers of a DataLoader: each opens
    the file for itself, at its first look.

    Attributes:
        path: of the file.
        provenance: what made the features.
        layout: `grouped` or `flat`.

    Raises:
        NotFeatures: the file is not one of ours.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.provenance = provenance(self.path)
        self._opened: tuple[int, h5py.File] | None = None
        self._arrays: dict[str, FlatReader] = {}
        self.layout = self._file.attrs.get("layout", "grouped")

    @property
    def _file(self) -> h5py.File:
        # A handle must not cross a fork: processes would move each other's position.
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), h5py.File(self.path)
        return self._opened[1]

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_opened": None, "_arrays": {}}

    @cached_property
    def ids(self) -> list[str]:
        """The videos, in the order of the file."""
        flat = self.layout == "flat"
        slugs = self._file["ids"].asstr()[()] if flat else self._file
        return [unslug(name) for name in slugs]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {video_id: number for number, video_id in enumerate(self.ids)}

    @cached_property
    def _offsets(self) -> dict[str, np.ndarray]:
        return {name: data[()] for name, data in self._file["offsets"].items()}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The arrays that each video has; none where there is no video."""
        if self.layout == "flat":
            return tuple(self._file["offsets"])
        return tuple(next(iter(self._file.values()), ()))

    def read(
        self, video_id: str, name: str = "features", rows: slice = slice(None)
    ) -> np.ndarray:
        """Return one array of a video, or some of its rows, one after the other.

        Raises:
            KeyError: there is no such video or array.
        """
        if self.layout == "grouped":
            return self._file[slug(video_id)][name][rows]
        begin, end = self._place(video_id, name)
        start, stop, _ = rows.indices(end - begin)
        if name not in self._arrays:
            self._arrays[name] = FlatReader(self.path, self._file[name])
        return self._arrays[name].rows(begin + start, begin + stop)

    def count(self, video_id: str, name: str = "features") -> int:
        """Return how many rows an array of a video has; errors as of `read`."""
        if self.layout == "grouped":
            return len(self._file[slug(video_id)][name])
        begin, end = self._place(video_id, name)
        return end - begin

    def _place(self, video_id: str, name: str) -> tuple[int, int]:
        """Return where a video's rows begin and end in an array of a flat file."""
        number = self._numbers[video_id]
        return tuple(self._offsets[name][number : number + 2].tolist())

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one row of an array."""
        if self.layout == "flat":
            return self._file[name].shape[1:]
        return next(iter(self._file.values()))[name].shape[1:]

    def lengths(self) -> Iterator[int]:
        """Yield how many windows each video has, in the order of `ids`."""
        if self.layout == "flat":
            # A file without videos has no arrays.
            yield from np.diff(self._offsets.get("features", [0])).tolist()
            return
        for group in self._file.values():
            yield len(group["features"])

    def __getitem__(self, video_id: str) -> Arrays:
        return {name: self.read(video_id, name) for name in self.names}

    def __contains__(self, video_id) -> bool:
        if self.layout == "flat":
            return video_id in self._numbers
        return slug(video_id) in self._file

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self._file["ids"] if self.layout == "flat" else self._file)


def keys(path: Path) -> dict[str, str]:
    """Return the key of each group by its slug; nothing where there is no file."""
    if not path.exists():
        return {}
    with h5py.File(path) as file:
        return {name: group.attrs["key"] for name, group in file.items()}


# Grouped files, each with the ids of the videos to take from it.
Sources = Iterable[tuple[Path, list[str]]]


def merge(target: Path, sources: Sources, provenance: dict) -> None:
    """Write one grouped file with the groups of several, in their order, atomically.

    Args:
        target: file to make; it may be one of the sources.
        sources: grouped files, each with the ids of the videos to take from it.
        provenance: what made the features, as JSON-able values.
    """
    with files.atomic(target) as temporary, h5py.File(temporary, "w") as merged:
        merged.attrs.update(attributes(provenance))
        for path, video_ids in sources:
            with h5py.File(path) as source:
                for name in map(slug, video_ids):
                    source.copy(name, merged)


def flatten(target: Path, sources: Sources, provenance: dict) -> None:
    """Write one flat file with the videos of several grouped ones, atomically.

    Arguments are those of `merge`. What is in memory are blocks of the arrays, and
    of each video a few numbers.
    """
    with files.atomic(target) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(attributes(provenance, "flat"))
        columns: dict[str, FlatWriter] = {}
        slugs, video_keys = [], []
        for path, video_ids in sources:
            with h5py.File(path) as source:
                for name in map(slug, video_ids):
                    group = source[name]
                    slugs.append(name)
                    video_keys.append(group.attrs["key"])
                    for array_name, data in group.items():
                        if array_name not in columns:
                            columns[array_name] = FlatWriter(file, array_name, data)
                        columns[array_name].append(data)
        offsets = file.create_group("offsets")
        for name, column in columns.items():
            column.flush()
            offsets[name] = column.offsets
        text = h5py.string_dtype()
        file.create_dataset("ids", data=slugs, dtype=text)
        file.create_dataset("keys", data=video_keys, dtype=text)


def attributes(provenance: dict, layout: str = "grouped") -> dict[str, str]:
    """Return the file attributes for a provenance; weights that mean nothing say so."""
    return {
        "format": FORMAT,
        "layout": layout,
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
        what = "is no HDF5 file" if path.exists() else "is not there"
        raise NotFeatures(f"{path} {what}")
    with h5py.File(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise NotFeatures(f"{path} holds other things than features of ours")
        return json.loads(file.attrs["provenance"])


def read(path: Path) -> Iterator[tuple[str, Arrays]]:
    """Yield each video's id and arrays, in the order of the file."""
    yield from FeatureStore(path).items()
