"""One JSON for all splits, as Hara's 3D-ResNets-PyTorch reads it.

Its keys are those of datasets/videodataset.py there. The reader looks for a
`video_path` from its working directory, which is to be the encoding's folder, and for
frames named `image_00001.jpg`: give it `image_name_formatter=lambda n: f"{n:05d}.jpg"`.
"""

import json
from pathlib import Path

from scripts.common import files
from scripts.common.lists.base import Listed, Lists
from scripts.common.lists.splits import check_disjoint

SUBSETS = {"train": "training", "val": "validation", "test": "testing"}


def write_database(lists: Lists, folder: Path) -> None:
    """Write annotations.json.

    Raises:
        ListError: a video is in two lists; the format has one place for each.
    """
    check_disjoint(lists.members)
    database = {
        video.id: {"subset": SUBSETS.get(split, split), **described(video)}
        for split, videos in lists.videos.items()
        for video in videos
    }
    data = {"labels": lists.dataset.classes, "database": database}
    files.write_text(folder / "annotations.json", json.dumps(data) + "\n")


def described(video: Listed) -> dict:
    """Return a video's annotations: its segment ends before the last number."""
    annotations: dict = {"label": video.labels[0]} if video.labels else {}
    annotations["segment"] = [1, video.frames + 1]
    return {"annotations": annotations, "video_path": video.path}
