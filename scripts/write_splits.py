"""Write the split lists that training code reads.

Input:  the index, split files where they decide, and the folders of the manifests of
        the clips and of the frames.
Output: <lists>/train.txt, val.txt, test.txt (those that there are; `all.txt` where the
        annotations have no splits), or what the format has in their place,
        classes.txt   line n is class n, from 0,
        missing.tsv   listed, but without a result that the format can name,
        counts.tsv    how many videos, results and classes each list has,
        classes.tsv   how many videos with a result each list has of each class.

Formats, with the fields of a line:
  ibm                  path first last label…   frames, or clips where none are dumped
  ibm_flow             the same with the last frame one less: flow images
  tsn                  path frames label…       frames; mmaction2_rawframes is the same
  mmaction2_videos     path label…              clips
  pyslowfast           path label               clips; train.csv
  torchvision          train/<class>/<video>.mp4, links to the clips
  3d_resnets           annotations.json for all lists; frames
  parquet              videos.parquet: all that is known of all videos

Paths are relative to the folder of the encoding, lines sorted by id. A video without a
label has no such field; readers that need one (tsn, mmaction2, torchvision) do not get
the video: missing.tsv has it as `no_label`, and a video of one frame as `too_short`
where flow is listed.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from scripts.common import cli, files, index, tables
from scripts.common.lists import (
    FORMATS,
    Dataset,
    Format,
    Listed,
    ListError,
    Lists,
    Results,
    members_of,
)

Missing = tuple[str, str, str, str, str]


def read_dataset(folder: Path, clips: Path | None, frames: Path | None) -> Dataset:
    """Return all that lists are made from.

    Args:
        folder: the index.
        clips, frames: folders of manifests of one encoding, or None.
    """
    shards = index.read_shards(folder / "shards.tsv")
    events = index.read_events(folder / "events.tsv")
    entries = {
        entry.row.id: replace(entry, events=tuple(events.get(entry.row.id, ())))
        for entry in index.read_videos(folder / "videos.tsv")
    }
    classes = index.read_classes(folder / "classes.txt")
    made = (
        Results(tuple(stage / f"{shard}.tsv" for shard in shards)) if stage else None
        for stage in (clips, frames)
    )
    return Dataset(entries, classes, *made)


def divide(
    dataset: Dataset, members: Mapping[str, list[str]], form: Format
) -> tuple[dict[str, list[Listed]], list[Missing]]:
    """Return the videos that a format can name, by split, and the rows of missing.tsv.

    Raises:
        ListError: a video has more labels than the format takes.
    """
    results = dataset.results(form.reads)
    number = {name: place for place, name in enumerate(dataset.classes)}
    listed: dict[str, list[Listed]] = {}
    missing = []
    for split, video_ids in members.items():
        listed[split] = []
        for video_id in video_ids:
            row, labels = results.row(video_id), dataset.entries[video_id].labels
            lack = form.lacks(row, labels)
            if lack:
                label = index.LABEL_SEPARATOR.join(labels)
                missing.append((video_id, split, label, *lack))
            else:
                numbers = tuple(number[label] for label in labels)
                path = results.path(row)
                video = Listed(video_id, path, row.frames, labels, numbers)
                listed[split].append(video)
    return listed, missing


def counts(lists: Lists) -> Iterator[tuple]:
    """Yield the rows of counts.tsv: a split, its videos, results, missing, classes."""
    for split, videos in lists.videos.items():
        members, found = len(lists.members[split]), len(videos)
        yield split, members, found, members - found, len(classes_in(videos))


def class_sizes(lists: Lists) -> Iterator[tuple]:
    """Yield the rows of classes.tsv: a class, and its videos in each list.

    The row of an empty name counts the videos without a label, where there are any.
    """
    sizes = Counter(
        (label, split)
        for split, videos in lists.videos.items()
        for video in videos
        for label in video.labels or ("",)
    )
    unlabelled = any(not label for label, _ in sizes)
    for label in [*lists.dataset.classes, *([""] if unlabelled else [])]:
        yield label, *(sizes[label, split] for split in lists.videos)


def untrained(lists: Lists) -> Iterator[tuple[str, list[str]]]:
    """Yield each split that has classes which `train` has not, and their names."""
    if "train" not in lists.videos:
        return
    known = classes_in(lists.videos["train"])
    for split, videos in lists.videos.items():
        if names := sorted(classes_in(videos) - known):
            yield split, names


def classes_in(videos: list[Listed]) -> set[str]:
    """Return the labels of videos."""
    return {label for video in videos for label in video.labels}


def write_lists(lists: Lists, missing: list[Missing], form: Format, folder: Path):
    """Write the files of one set of splits, all or none.

    Raises:
        ListError: the format cannot hold the lists.
    """
    classes = "".join(f"{name}\n" for name in lists.dataset.classes)
    header = ("id", "split", "label", "status", "message")
    sizes = ("split", "videos", "results", "missing", "classes")
    with files.atomic(folder) as temporary:
        temporary.mkdir()
        form.write(lists, temporary)
        if (temporary / "classes.txt").exists():
            raise ListError("a list cannot be called 'classes': that file is another")
        files.write_text(temporary / "classes.txt", classes)
        text = tables.render_records(header, missing)
        files.write_text(temporary / "missing.tsv", text)
        text = tables.render_records(sizes, counts(lists))
        files.write_text(temporary / "counts.tsv", text)
        text = tables.render_records(("class", *lists.videos), class_sizes(lists))
        files.write_text(temporary / "classes.tsv", text)


def main(argv: list[str] | None = None) -> None:
    """Write the lists of one set of splits in one format."""
    parser = cli.command("write_splits", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index directory")
    for stage in ("clips", "frames"):
        parser.add_argument(
            f"--{stage}",
            type=Path,
            help=f"folder of the manifests of the {stage} in one encoding",
        )
    parser.add_argument(
        "--lists", type=Path, required=True, help="directory to write the lists to"
    )
    parser.add_argument("--format", choices=sorted(FORMATS), default="ibm")
    cli.add_options(
        parser,
        '`set`, the name of the set of splits; `splits`: "annotations", files by list,'
        " or `base`, `base_set`, `validation` and `unused`; `separator`",
    )
    arguments = parser.parse_args(argv)
    options, form = arguments.options, FORMATS[arguments.format]
    dataset = read_dataset(arguments.index, arguments.clips, arguments.frames)
    try:
        members = members_of(options["splits"], options["set"], dataset.entries)
        videos, missing = divide(dataset, members, form)
        root = dataset.results(form.reads).root
        lists = Lists(dataset, members, videos, root, options["separator"])
        write_lists(lists, missing, form, arguments.lists)
    except ListError as error:
        sys.exit(f"error: {error}")
    for split, _, found, lost, _ in counts(lists):
        print(f"{split}: {found} videos" + (f", {lost} missing" if lost else ""))
    for split, names in untrained(lists):
        print(
            f"{split}: train has no video of {len(names)} classes: {', '.join(names)}"
        )


if __name__ == "__main__":
    main()
