"""The formats of split lists: what each names, and how it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.common.lists.base import Dataset, Listed, ListError, Lists, Results
from scripts.common.lists.database import write_database
from scripts.common.lists.folders import write_folders
from scripts.common.lists.splits import members_of
from scripts.common.lists.table import write_table
from scripts.common.lists.text import one_a_line
from scripts.common.tables import Row

__all__ = [
    "FORMATS",
    "Dataset",
    "Format",
    "ListError",
    "Listed",
    "Lists",
    "Results",
    "members_of",
]


@dataclass(frozen=True)
class Format:
    """How lists are written for one reader.

    Attributes:
        reads: what it names: `clips`, `frames`, or `either` (frames where dumped).
        write: writes the lists into a folder.
        least_labels, most_labels: of a video, None for any number.
        least_frames: of a video.
    """

    reads: str
    write: Callable[[Lists, Path], None]
    least_labels: int = 0
    most_labels: int | None = None
    least_frames: int = 1

    def lacks(self, row: Row, labels: tuple[str, ...]) -> tuple[str, str] | None:
        """Return status and message of a video that cannot be listed, else None.

        Raises:
            ListError: the video has more labels than the reader takes.
        """
        if self.most_labels is not None and len(labels) > self.most_labels:
            raise ListError(
                f"'{row.id}' has {len(labels)} labels ({', '.join(labels)}), and this"
                " format takes one; choose another one under `lists: formats`"
            )
        if not row.ok:
            return row.status, row.message
        if len(labels) < self.least_labels:
            return "no_label", "the format's reader needs one"
        if row.frames < self.least_frames:
            return "too_short", f"the format's reader needs {self.least_frames} frames"
        return None


FORMATS = {
    # IBM's action-recognition-pytorch: frames are counted from 1.
    "ibm": Format(
        "either",
        one_a_line(lambda v: (v.path, 1, v.frames, *v.numbers), separator=None),
    ),
    # T frames have T - 1 flow images.
    "ibm_flow": Format(
        "either",
        one_a_line(lambda v: (v.path, 1, v.frames - 1, *v.numbers), separator=None),
        least_frames=2,
    ),
    "pyslowfast": Format(
        "clips",
        one_a_line(lambda v: (v.path, *v.numbers), suffix=".csv"),
        most_labels=1,
    ),
    "mmaction2_videos": Format(
        "clips", one_a_line(lambda v: (v.path, *v.numbers)), least_labels=1
    ),
    "mmaction2_rawframes": Format(
        "frames", one_a_line(lambda v: (v.path, v.frames, *v.numbers)), least_labels=1
    ),
    "torchvision": Format("clips", write_folders, least_labels=1, most_labels=1),
    "3d_resnets": Format("frames", write_database, most_labels=1),
    "parquet": Format("either", write_table),
}
# TSN and TSM invented the lines that mmaction2 reads.
FORMATS["tsn"] = FORMATS["mmaction2_rawframes"]
