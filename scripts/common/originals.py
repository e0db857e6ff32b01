"""The files that a dataset comes in: archives and annotations, near or on the web.

An entry of the config is a path or an address, with `{0..241}` for a range of numbers,
or a mapping: `at` (one place, or several that hold the same) with `bytes` and `sha256`
where they are known, `parts` (the pieces of one archive, in order), or `list` (a text
file of paths or addresses, itself near or on the web).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from scripts.common.addresses import is_url

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
# Annotation files that are unpacked before they are read.
_ARCHIVE = re.compile(r"\.(zip|rar|tgz|tbz2|txz|tar(\.(gz|bz2|xz|zst))?)$", re.I)


@dataclass(frozen=True)
class File:
    """One file as it is published.

    Attributes:
        name: its path below the dataset's `downloads`.
        places: paths or addresses of copies of it; the first one that works is taken.
        bytes, sha256: what it must have, None where nobody said.
    """

    name: str
    places: tuple[str, ...]
    bytes: int | None = None
    sha256: str | None = None

    @property
    def local(self) -> str | None:
        """The path of a file that needs no download, or None."""
        first = self.places[0]
        return None if is_url(first) else first

    @property
    def is_archive(self) -> bool:
        """Tell by the name whether it is an archive."""
        return bool(_ARCHIVE.search(self.name))


@dataclass(frozen=True)
class Original:
    """One archive: a file, or the parts of one that was cut.

    Attributes:
        name: what its manifest and folder are called.
        files: the parts in order.
    """

    name: str
    files: tuple[File, ...]


# Gives the lines of a list.
ReadList = Callable[[File], Iterable[str]]


def expand(pattern: str) -> list[str]:
    """Return the texts that a pattern with ranges stands for.

    >>> expand("part_{8..10}.zip")
    ['part_8.zip', 'part_9.zip', 'part_10.zip']
    >>> expand("v2-{00..01}")
    ['v2-00', 'v2-01']
    """
    match = _RANGE.search(pattern)
    if not match:
        return [pattern]
    first, last = match.groups()
    width = len(first) if first.startswith("0") else 0
    texts = []
    for number in range(int(first), int(last) + 1):
        filled = f"{pattern[: match.start()]}{number:0{width}d}{pattern[match.end() :]}"
        texts += expand(filled)
    return texts


def base_name(place: str) -> str:
    """Return the file name in a path or an address.

    >>> base_name("https://a.org/UCF%20101.rar?download=1")
    'UCF 101.rar'
    """
    path = unquote(urlsplit(place).path) if is_url(place) else place
    return PurePosixPath(path).name


def archives(
    entries: list | Mapping[str, list], read_list: ReadList = lambda file: ()
) -> list[Original]:
    """Return the archives that `source: archives` of the config describes.

    Args:
        entries: a list, or lists by a group's name, which becomes a folder of its own.
        read_list: gives the lines of a list; without it, lists are passed over.
    """
    return [
        original
        for entry, folder in _grouped(entries)
        for original in _originals(entry, folder, read_list)
    ]


def lists(entries: list | Mapping[str, list]) -> list[File]:
    """Return the lists of archives that `source: archives` of the config names."""
    return [
        _file((entry["list"],), folder)
        for entry, folder in _grouped(entries)
        if isinstance(entry, Mapping) and "list" in entry
    ]


def _grouped(entries: list | Mapping[str, list]) -> Iterator[tuple[str | dict, str]]:
    """Yield each entry with the folder of its group."""
    groups = entries if isinstance(entries, Mapping) else {"": entries}
    for group, members in groups.items():
        for entry in members:
            yield entry, f"{group}/" if group else ""


def files(entries: list) -> list[File]:
    """Return the files that `annotations: files` of the config describes."""
    return [file for entry in entries for file in _files(entry, "")]


def of_dataset(
    dataset: Mapping, read_list: ReadList = lambda file: ()
) -> list[Original]:
    """Return all that is unpacked for a dataset: its archives, and its annotations'."""
    annotations = dataset["annotations"] or {"files": []}
    held = (file for file in files(annotations["files"]) if file.is_archive)
    videos = archives(archive_entries(dataset), read_list)
    return [*videos, *(Original(file.name, (file,)) for file in held)]


def archive_entries(dataset: Mapping) -> list | Mapping[str, list]:
    """Return `source: archives` of a dataset; nothing where there is none."""
    source = dataset["source"]
    return [] if isinstance(source, str) else source.get("archives", [])


def of_files(dataset: Mapping, read_list: ReadList = lambda file: ()) -> list[File]:
    """Return all files that a dataset comes in, each once, without lists of them."""
    annotations = dataset["annotations"] or {"files": []}
    unpacked = of_dataset(dataset, read_list)
    parts = [part for original in unpacked for part in original.files]
    return list(dict.fromkeys([*parts, *files(annotations["files"])]))


def _originals(
    entry: str | Mapping, folder: str, read_list: ReadList
) -> Iterator[Original]:
    if isinstance(entry, Mapping) and "list" in entry:
        for line in read_list(_file((entry["list"],), folder)):
            if place := line.strip():
                # Addresses are listed as their authors type them, with blanks.
                place = (
                    quote(place, safe="%/:?&=+~()!*,;@'") if is_url(place) else place
                )
                file = _file((place,), folder)
                yield Original(file.name, (file,))
        return
    if isinstance(entry, Mapping) and "parts" in entry:
        parts = [place for pattern in entry["parts"] for place in expand(pattern)]
        pieces = tuple(_file((place,), folder) for place in parts)
        yield Original(pieces[0].name, pieces)
        return
    for file in _files(entry, folder):
        yield Original(file.name, (file,))


def _files(entry: str | Mapping, folder: str) -> Iterator[File]:
    if isinstance(entry, str):
        yield from (_file((place,), folder) for place in expand(entry))
        return
    places = [entry["at"]] if isinstance(entry["at"], str) else entry["at"]
    facts = {key: entry[key] for key in ("bytes", "sha256") if key in entry}
    for copies in zip(*map(expand, places), strict=True):
        yield _file(copies, folder, **facts)


def _file(places: tuple[str, ...], folder: str, **facts) -> File:
    return File(folder + base_name(places[0]), places, **facts)
