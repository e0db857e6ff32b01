"""Lists with one video a line."""

from collections.abc import Callable, Iterable
from pathlib import Path

from scripts.common import files
from scripts.common.ids import slug
from scripts.common.lists.base import Listed, ListError, Lists

Fields = Callable[[Listed], Iterable]


def one_a_line(
    fields: Fields, suffix: str = ".txt", separator: str | None = " "
) -> Callable[[Lists, Path], None]:
    """Return a writer of a file for each split.

    Args:
        fields: gives those of a video's line.
        suffix: of the files.
        separator: between the fields; None takes the one of the config.
    """

    def write(lists: Lists, folder: Path) -> None:
        between = separator or lists.separator
        for split, videos in lists.videos.items():
            lines = []
            for video in videos:
                check_path(video.path, between, fixed=separator is not None)
                lines.append(between.join(map(str, fields(video))) + "\n")
            files.write_text(folder / f"{slug(split)}{suffix}", "".join(lines))

    return write


def check_path(path: str, separator: str, fixed: bool) -> None:
    """Check that a line which begins with the path can be read.

    Args:
        path: of the result.
        separator: between the fields; by a space, readers mean any white space.
        fixed: whether the format knows no other separator.

    Raises:
        ListError: the path holds the separator or a line break, or it is blank at an
            end.
    """
    remedy = "name another encoding than this one under `lists: encoding`"
    if path.split(separator.strip() or None) != [path]:
        choose = remedy if fixed else "choose another one under `lists: separator`"
        raise ListError(
            f"the path '{path}' holds the separator '{separator}'; {choose}"
        )
    if path.splitlines() != [path] or path != path.strip():
        raise ListError(
            f"the path {path!r} has a line break, or a blank at an end, so that nobody"
            f" could read its line; {remedy}"
        )
