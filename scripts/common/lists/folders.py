"""Lists that are folders of links: <split>/<class>/<video>, as torchvision reads them.

torchvision numbers the classes of a folder by their sorted names. Every split therefore
has a folder for every class, or a class that has no video in one of them would shift
the numbers there; pass `allow_empty=True` to its `DatasetFolder`.
"""

import os
from pathlib import Path

from scripts.common.ids import SlugTooLong, slug
from scripts.common.lists.base import ListError, Lists


def write_folders(lists: Lists, folder: Path) -> None:
    """Link each video into the folder of its split and class.

    Links are relative, so that clips and lists can be moved together.

    Raises:
        ListError: a class name is too long for a folder.
    """
    names = {label: _folder_name(label) for label in lists.dataset.classes}
    for split, videos in lists.videos.items():
        for name in names.values():
            (folder / slug(split) / name).mkdir(parents=True)
        inside = folder / slug(split)
        # All class folders are equally far from the clips.
        up = Path(os.path.relpath(lists.root, inside / "class"))
        for video in videos:
            name = f"{slug(video.id)}{Path(video.path).suffix}"
            link = inside / names[video.labels[0]] / name
            link.symlink_to(up / video.path)


def _folder_name(label: str) -> str:
    try:
        return slug(label)
    except SlugTooLong as error:
        raise ListError(f"the class '{label}' cannot be a folder: {error}") from error
