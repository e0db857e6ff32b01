"""Write the split lists that training code reads.

Input:  the index, the split files or the split column, and the manifests of the frames
        (or of the clips, where frames are not dumped).
Output: <lists>/train.txt, val.txt, test.txt (those that there are; `all.txt` for videos
        that no split names), classes.txt, missing.tsv (listed, but without a result).

A line of the `ibm` format is `path first last label`: the folder of frames relative to
the frames of the encoding, its first and last frame, and the class number. A video
without a label has no fourth field.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from scripts.common import cli, files, index, tables
from scripts.common.ids import slug
from scripts.common.index import Entry
from scripts.common.tables import Row


class SplitError(ValueError):
    """The splits cannot be used; the message says where and what to do."""


def members_from_column(entries: list[Entry]) -> dict[str, list[str]]:
    """Return the ids of each split by the annotations; without one it is `all`."""
    members: dict[str, list[str]] = {}
    for entry in entries:
        members.setdefault(entry.split or "all", []).append(entry.row.id)
    return members


def members_from_files(
    paths: dict[str, Path], entries: list[Entry]
) -> dict[str, list[str]]:
    """Return the ids of each split by its file: one id or path a line.

    Raises:
        SplitError: a line names no video of the dataset, or two splits name one video.
    """
    known = {entry.row.id for entry in entries}
    members, taken = {}, {}
    for split, path in paths.items():
        members[split] = []
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        for number, line in enumerate(lines, start=1):
            name = line.strip().removeprefix("./")
            if not name:
                continue
            if name not in known:
                raise SplitError(f"{path}, line {number}: no video is named '{name}'")
            if name in taken:
                raise SplitError(
                    f"{path}, line {number}: '{name}' is in '{taken[name]}' already"
                )
            taken[name] = split
            members[split].append(name)
    return members


def ibm_line(row: Row, root: Path, label: int | None, separator: str) -> str:
    """Return a video's line in IBM's format; frames are counted from 1.

    Raises:
        SplitError: the path holds the separator, so that nobody could read the line.
    """
    path = Path(row.path).relative_to(root).as_posix()
    if separator in path:
        raise SplitError(
            f"the path '{path}' holds the separator '{separator}'; choose another one"
            " under `lists: separator`"
        )
    fields = [path, "1", str(row.frames)] + ([] if label is None else [str(label)])
    return separator.join(fields)


FORMATS = {"ibm": ibm_line}


def render_lists(
    members: dict[str, list[str]],
    entries: list[Entry],
    classes: list[str],
    results: dict[str, Row],
    root: Path,
    format_name: str,
    separator: str,
) -> tuple[dict[str, str], str]:
    """Return the text of each list, sorted by id, and of missing.tsv.

    Args:
        members: ids by split.
        entries: the index.
        classes: class names in the order of their numbers.
        results: the manifests' rows by id.
        root: the directory to which paths are relative.
        format_name: one of FORMATS.
        separator: between the fields of a line.
    """
    number = {name: position for position, name in enumerate(classes)}
    labels = {entry.row.id: number.get(entry.label) for entry in entries}
    line = FORMATS[format_name]
    lists, missing = {}, ["id\tsplit\tstatus\tmessage\n"]
    for split, video_ids in members.items():
        lines = []
        for video_id in sorted(video_ids):
            row = results[video_id]
            if row.ok:
                lines.append(line(row, root, labels[video_id], separator) + "\n")
            else:
                fields = (video_id, split, row.status, row.message)
                missing.append("\t".join(map(_one_line, fields)) + "\n")
        lists[split] = "".join(lines)
    return lists, "".join(missing)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def write_lists(folder: Path, texts: dict[str, str]) -> None:
    """Write the files of one split set, all or none."""
    with files.atomic(folder) as temporary:
        temporary.mkdir()
        for name, text in texts.items():
            files.write_text(temporary / name, text)


def read_results(manifests: Iterable[Path]) -> dict[str, Row]:
    """Return the rows of manifests by id."""
    return {row.id: row for row in tables.read_all(manifests)}


def main(argv: list[str] | None = None) -> None:
    """Write the lists of one split set in one format."""
    parser = cli.command("write_splits", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index directory")
    parser.add_argument(
        "--manifests",
        type=Path,
        nargs="+",
        required=True,
        metavar="TSV",
        help="manifests of the frames or clips",
    )
    parser.add_argument(
        "--lists", type=Path, required=True, help="directory to write the lists to"
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="ibm")
    cli.add_options(parser, '`splits`: "annotations", or files by split; `separator`')
    arguments = parser.parse_args(argv)
    options, splits = arguments.options, arguments.options["splits"]
    entries = index.read_videos(arguments.index / "videos.tsv")
    classes = index.read_classes(arguments.index / "classes.txt")
    try:
        if splits == "annotations":
            members = members_from_column(entries)
        else:
            paths = {split: Path(path) for split, path in splits.items()}
            members = members_from_files(paths, entries)
        lists, missing = render_lists(
            members,
            entries,
            classes,
            read_results(arguments.manifests),
            arguments.manifests[0].parent,
            arguments.format,
            options["separator"],
        )
    except SplitError as error:
        sys.exit(f"error: {error}")
    # The annotations name the splits: slugged, none leads out of the folder.
    texts = {f"{slug(split)}.txt": text for split, text in lists.items()}
    texts |= {"classes.txt": "".join(f"{c}\n" for c in classes), "missing.tsv": missing}
    write_lists(arguments.lists, texts)
    for split, text in lists.items():
        print(f"{split}: {text.count(chr(10))} videos")


if __name__ == "__main__":
    main()
