"""What all annotations come to, whatever their file format: videos, events, classes."""

import difflib
import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

# The one set of splits of most datasets.
DEFAULT_SET = "default"


class AnnotationError(ValueError):
    """The annotations cannot be used; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens in a video.

    Attributes:
        start, end: seconds from the beginning of the video, None where not said.
        label: class name, or nothing.
        text: sentence that describes it, or nothing.
    """

    start: float | None = None
    end: float | None = None
    label: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Annotated:
    """One video as annotations describe it.

    Attributes:
        id: name of the video in the dataset; no two videos share one.
        name: the file, by the end of its path in the source (`Archery/v_1.avi`); the
            suffix may be left out (`-3B32lodo2M_000059_000069`).
        url: where it can be downloaded, or nothing.
        start, end: the segment of the download in seconds, None for all of it. A file
            of the source that is named so is cut already where `is_cut`.
        is_cut: whether files in archives and folders hold the segment alone, as those
            of Kinetics do.
        labels: class names; none, one or several.
        splits: the list that it belongs to, by set of splits, such as
            `{"split1": "train", "split2": "test"}`; a dataset with one set calls it
            `default`.
        events: what happens when; the times count from the video's own beginning.
    """

    id: str
    name: str
    url: str = ""
    start: float | None = None
    end: float | None = None
    is_cut: bool = False
    labels: tuple[str, ...] = ()
    splits: Mapping[str, str] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Annotations:
    """A dataset's annotations.

    Attributes:
        videos: in any order; may be an iterator.
        classes: class names in the official order of their numbers, or None where
            there is none; they are then sorted.
    """

    videos: Iterable[Annotated]
    classes: tuple[str, ...] | None = None


class Files:
    """Annotation files by name, wherever archives had them."""

    def __init__(self, paths: Iterable[Path]):
        """Take the paths; where two have one name, the later one counts.

        What a Mac adds to archives, `._<name>`, is left out.
        """
        self._paths = {p.name: p for p in paths if not p.name.startswith("._")}

    @property
    def names(self) -> list[str]:
        """The names of all files, sorted."""
        return sorted(self._paths)

    def one(self, name: str) -> Path:
        """Return the file of that name.

        Raises:
            AnnotationError: there is none.
        """
        if name in self._paths:
            return self._paths[name]
        near = difflib.get_close_matches(name, self._paths, n=3, cutoff=0.3)
        there = ", ".join(near) or "none is like it"
        raise AnnotationError(
            f"the annotations have no file '{name}' (there are: {there}); see"
            " `annotations: files` in the config"
        )

    def matching(self, pattern: str) -> list[Path]:
        """Return the files whose names match a pattern such as `*_split1.txt`, sorted.

        Raises:
            AnnotationError: there is none.
        """
        names = sorted(fnmatch.filter(self._paths, pattern))
        if not names:
            raise AnnotationError(
                f"no annotation file is named like '{pattern}'; see `annotations:"
                " files` in the config"
            )
        return [self._paths[name] for name in names]

    def __contains__(self, name: str) -> bool:
        """Tell whether there is a file of that name."""
        return name in self._paths
