"""What all containers of pictures share: how they are read, and what they are told.

A video's pictures are counted from 1 in the names of files, and from 0 in this code.
They stand in one stream, "", or in several that run side by side: flow has "x" and "y".
What is told of a video (`about`) has at least `layout`, and `format`: `jpg` or `png`.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

# The pictures of one moment by stream, encoded: {"": …}, or {"x": …, "y": …}.
Moment = Mapping[str, bytes]


class NotStored(KeyError):
    """The container has no such video."""

    def __str__(self) -> str:
        return str(self.args[0])


class Shard(Protocol):
    """A shard's pictures, to be read; a context manager."""

    def ids(self) -> list[str]:
        """Return the ids of the videos, sorted by slug."""

    def about(self, video_id: str) -> dict:
        """Return what was told of a video when it was written."""

    def count(self, video_id: str) -> int:
        """Return how many moments a video has."""

    def pictures(
        self, video_id: str, numbers: Iterable[int], stream: str = ""
    ) -> list[bytes]:
        """Return encoded pictures of a stream by number, counted from 0.

        Raises:
            NotStored: the container has no such video.
            IndexError: the video has no such picture.
        """

    def __enter__(self) -> "Shard": ...

    def __exit__(self, *exception) -> None: ...


def checked(numbers: Iterable[int], count: int) -> list[int]:
    """Return the numbers.

    Raises:
        IndexError: one of them is not in 0 to count - 1.
    """
    numbers = list(numbers)
    for number in numbers:
        if not 0 <= number < count:
            raise IndexError(f"there is no picture {number}; the video has {count}")
    return numbers
