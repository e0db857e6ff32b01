"""One array of a flat file of features, written in blocks or mapped; see store.py."""

import mmap
from pathlib import Path

import h5py
import numpy as np

# What is read at once to get at one row, and what is written at once.
CHUNK_BYTES, BLOCK_BYTES = 2**18, 2**25


class FlatWriter:
    """Writes an array, in blocks of many videos.

    Attributes:
        offsets: where the rows of each video begin, and where the last one's end.
    """

    def __init__(self, file: h5py.File, name: str, like: h5py.Dataset):
        """Make the array, without rows yet; rows are like those of another one."""
        row = like.shape[1:]
        size = int(np.prod(row, dtype=int)) * like.dtype.itemsize
        self._data = file.create_dataset(
            name,
            shape=(0, *row),
            maxshape=(None, *row),
            chunks=(max(1, CHUNK_BYTES // size), *row),
            dtype=like.dtype,
        )
        self._waiting: list[np.ndarray] = []
        self._bytes = 0
        self.offsets = [0]

    def append(self, data: h5py.Dataset) -> None:
        """Add the rows of the next video; they may wait until `flush`."""
        self.offsets.append(self.offsets[-1] + len(data))
        rows = max(1, BLOCK_BYTES * len(data) // max(1, data.nbytes))
        for begin in range(0, len(data), rows):
            self._waiting.append(data[begin : begin + rows])
            self._bytes += self._waiting[-1].nbytes
            if self._bytes > BLOCK_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write the rows that wait."""
        if self._waiting:
            block, begin = np.concatenate(self._waiting), len(self._data)
            self._data.resize(begin + len(block), axis=0)
            self._data[begin:] = block
            self._waiting, self._bytes = [], 0


class FlatReader:
    """Reads an array that is mapped: HDF5 takes ten times as long for a few rows."""

    def __init__(self, path: Path, data: h5py.Dataset):
        """Map the file; what is not compressed lies in it as it is."""
        places: dict[int, int] = {}

        def note(chunk) -> None:
            places[chunk.chunk_offset[0]] = chunk.byte_offset

        data.id.chunk_iter(note)
        self._shape, self._dtype = data.shape[1:], data.dtype
        self._numbers = int(np.prod(self._shape, dtype=int))
        self._in_chunk = data.chunks[0]
        self._places = [places[first] for first in range(0, len(data), self._in_chunk)]
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def rows(self, begin: int, end: int) -> np.ndarray:
        """Return a copy of some rows."""
        found = [np.empty(0, self._dtype)]
        while begin < end:
            chunk, skipped = divmod(begin, self._in_chunk)
            count = min(end - begin, self._in_chunk - skipped)
            place = skipped * self._numbers * self._dtype.itemsize + self._places[chunk]
            numbers = count * self._numbers
            found.append(np.frombuffer(self._bytes, self._dtype, numbers, place))
            begin += count
        return np.concatenate(found).reshape(-1, *self._shape)
