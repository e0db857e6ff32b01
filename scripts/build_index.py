"""Write down which videos a dataset has, and cut them into shards.

Input:  a folder of videos, the manifests of unpacked archives, or nothing (the videos
        are then where the annotations say); annotations in one of many formats, or
        none: every video of the source then belongs to the dataset.
Output: index/videos.tsv   every video with labels, splits, shard and source,
        index/events.tsv   what happens when in the videos, where annotations say so,
        index/classes.txt  the class names: line n is class n, from 0; in the official
                           order, or sorted where there is none,
        index/counts.tsv   how many videos and classes there are, and were expected,
        index/shards.tsv   the shards that have videos, with number of rows, sha256,
                           and seconds and bytes where these are known of all,
        index/shards/<shard>.tsv  the shard tables, each written only if it changed.

A shard table holds what the clips depend on and nothing else, so that new labels or
splits do not touch it, and a new video touches the table of its own shard alone.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from scripts.common import addresses, cli, files, tables
from scripts.common.annotations import (
    READERS,
    Annotated,
    AnnotationError,
    Annotations,
    Files,
    check_classes,
    read_table,
    refuse_twins,
)
from scripts.common.ids import SlugTooLong, slug
from scripts.common.index import LABEL_SEPARATOR, Entry, write_index
from scripts.common.sources import (
    Source,
    image_folders,
    in_source,
    is_video,
    videos,
    walk_folder,
    where_annotated,
)
from scripts.common.subset import select, subset_classes
from scripts.common.tables import Row

MOST_IN_A_SHARD = 1024


def read_annotations(options: Mapping, paths: list[Path]) -> Annotations:
    """Return what the dataset's annotation files say.

    Args:
        options: `format`, `columns` and `label_separator` of the config.
        paths: the files; those of archives are unpacked.

    Raises:
        AnnotationError: the message says where and what to do.
    """
    if options["format"] != "table":
        return READERS[options["format"]](Files(paths))
    if len(paths) != 1:
        raise AnnotationError(
            f"a table is one file, and `annotations: files` gives {len(paths)}"
        )
    return read_table(paths[0], options["columns"], options["label_separator"])


def labelled(video: Annotated, by_folder: bool) -> Annotated:
    """Return the video with its labels on one line each, as classes.txt has them.

    Args:
        video: as the annotations have it.
        by_folder: where it has no label, the name of its folder is one.
    """
    labels = video.labels
    if not labels and by_folder and not addresses.is_url(video.name):
        labels = folder_labels(video.name)
    tidy = tuple(text for label in labels if (text := " ".join(label.split())))
    return video if tidy == video.labels else replace(video, labels=tidy)


def folder_labels(video_id: str) -> tuple[str, ...]:
    """Return the name of the folder that a video is in; at the top there is none.

    Nor is there one for a member that an archive would have had written outside.

    >>> folder_labels("ucf/Archery/a.avi"), folder_labels("a.avi")
    (('Archery',), ())
    >>> folder_labels("../a.avi"), folder_labels("/tmp/a.avi")
    ((), ())
    """
    *folders, _ = video_id.split("/")
    outside = ".." in folders or video_id.startswith("/")
    return () if outside or not any(folders[-1:]) else (folders[-1],)


def classes_of(videos: Iterable[Annotated]) -> list[str]:
    """Return the labels of videos and of their events, sorted."""
    labels = {label for video in videos for label in video.labels}
    labels |= {event.label for video in videos for event in video.events}
    return sorted(labels - {""})


def counts(videos: list[Annotated], classes: list[str]) -> dict[str, int]:
    """Return how many videos and classes there are, and how many in each split."""
    found = Counter({"videos": len(videos), "classes": len(classes)})
    for video in videos:
        for name, split in video.splits.items():
            found[f"{name} {split}"] += 1
    return dict(found)


def compare(found: Mapping[str, int], expected: Mapping) -> list[tuple]:
    """Return rows of counts.tsv: what, expected (or None), found."""
    wanted = {key: expected[key] for key in ("videos", "classes") if key in expected}
    for name, splits in expected.get("splits", {}).items():
        wanted |= {f"{name} {split}": count for split, count in splits.items()}
    names = sorted(
        {*found, *wanted}, key=lambda name: (" " in name, name != "videos", name)
    )
    return [(name, wanted.get(name), found.get(name, 0)) for name in names]


def checked(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries sorted by id, with names checked.

    Raises:
        AnnotationError: two entries have one id, or a label cannot be written.
    """
    unique: dict[str, Entry] = {}
    for entry in entries:
        row = entry.row
        if row.id in unique:
            raise AnnotationError(
                f"two videos are named '{row.id}'; give each a name of its own in the"
                " annotations' `id` column, and archives paths that differ"
            )
        try:
            slug(row.id)
        except SlugTooLong as error:
            row = row.failed("bad_name", str(error))
        for label in entry.labels:
            if LABEL_SEPARATOR in label:
                raise AnnotationError(
                    f"the class '{label}' of '{row.id}' holds '{LABEL_SEPARATOR}',"
                    " which separates the labels of a video; rename it"
                )
        unique[row.id] = entry if row is entry.row else replace(entry, row=row)
    return [unique[video_id] for video_id in sorted(unique)]


def sources(options: Mapping, unpacked: list[Path]) -> Iterator[list[Row]]:
    """Yield the files of the folder, or of each unpacked archive."""
    groups = (
        [walk_folder(Path(options["folder"]))]
        if options["folder"]
        else (tables.read_all([manifest]) for manifest in unpacked)
    )
    for rows in groups:
        if options["images_fps"]:
            rows = image_folders(rows, options["images_fps"])
        yield list(rows)


def whole_source(groups: Iterable[list[Row]]) -> Annotations:
    """Return every video of a source as if it were annotated."""
    found = [row for group in groups for row in videos(group)]
    return Annotations([Annotated(row.id, row.id) for row in found])


def build(
    options: Mapping, unpacked: list[Path], annotation_files: list[Path]
) -> tuple[list[Entry], list[str], list[tuple]]:
    """Return the entries, the classes and the rows of counts.tsv.

    Args:
        options: as `--help` describes them.
        unpacked: manifests of the source's archives.
        annotation_files: those that the annotations come in.

    Raises:
        AnnotationError: the annotations cannot be used.
    """
    groups = [] if options["in_place"] else list(sources(options, unpacked))
    form = (options["annotations"] or {}).get("format", "table")
    annotations = (
        read_annotations(options["annotations"], annotation_files)
        if options["annotations"]
        else whole_source(groups)
    )
    by_folder = options["labels"] == "folder" and form == "table"
    every = [labelled(video, by_folder) for video in annotations.videos]
    classes = list(annotations.classes or classes_of(every))
    refuse_twins(classes)
    if annotations.classes:
        check_classes(every, classes)
    compared = compare(counts(every, classes), options["expected"])
    subset = options["subset"]
    classes = subset_classes(subset["classes"], classes)
    chosen = list(select(every, subset, classes))
    if options["in_place"]:
        rows = (where_annotated(v, annotation_files[0].parent) for v in chosen)
    else:
        source = Source(groups)
        rows = (in_source(video, source) for video in chosen)
    entries = (
        Entry(row, video.labels, video.splits, video.events)
        for row, video in zip(rows, chosen, strict=True)
    )
    return checked(entries), classes, compared


def main(argv: list[str] | None = None) -> None:
    """Build the index of one dataset."""
    parser = cli.command("build_index", __doc__)
    parser.add_argument(
        "--originals", type=Path, help="folder of the manifests of `unpack_archive`"
    )
    parser.add_argument(
        "--unpacked",
        nargs="*",
        default=[],
        metavar="NAME",
        help="archives that hold the videos, in place of a folder: the names of their"
        " manifests without .tsv",
    )
    parser.add_argument(
        "--annotations",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="annotation files",
    )
    parser.add_argument(
        "--unpacked-annotations",
        nargs="*",
        default=[],
        metavar="NAME",
        help="archives that hold annotation files",
    )
    cli.add_options(
        parser,
        "`folder` (or null), `in_place` (the videos are where the annotations say),"
        " `images_fps`, `shards`, `labels`, `annotations`, `subset` and `expected`, as"
        " in config/README.md",
    )
    parser.add_argument(
        "--index", type=Path, required=True, help="directory to write the index to"
    )
    arguments = parser.parse_args(argv)
    options = arguments.options

    def manifests(names: list[str]) -> list[Path]:
        return [arguments.originals / f"{name}.tsv" for name in names]

    held = tables.read_all(manifests(arguments.unpacked_annotations))
    paths = [Path(row.path) for row in held if row.ok and not is_video(row)]
    paths += arguments.annotations
    try:
        entries, classes, compared = build(
            options, manifests(arguments.unpacked), paths
        )
    except AnnotationError as error:
        sys.exit(f"error: {error}")
    if not entries:
        sys.exit("error: the source has no videos; see `source` in the config")
    sizes = write_index(entries, classes, options["shards"], arguments.index)
    text = tables.render_records(("what", "expected", "found"), compared)
    files.write_text(arguments.index / "counts.tsv", text)
    print(f"{len(entries)} videos in {len(sizes)} shards, {len(classes)} classes")
    missing = sum(not entry.row.ok for entry in entries)
    if missing:
        print(f"{missing} of them are not in the source; videos.tsv says which")
    for what, expected, found in compared:
        if expected not in (None, found):
            print(f"{what}: {found}, where {expected} are expected")
    if max(sizes.values()) > MOST_IN_A_SHARD:
        print(
            f"the largest shard has {max(sizes.values())} videos; consider"
            f" `shards: {-(-len(entries) // 512)}`, before the long stages run"
        )


if __name__ == "__main__":
    main()
