"""Downloads that nobody needs any more: all clips are made of them.

With `keep_originals: false` the last encoding deletes them. What follows from a video's
absence is decided by the same question, asked of the clips themselves: a download whose
clips all stand is as good as there; one of which another clip is wanted is not.

What was taken of each is still told, in one file for the shard: a line is a sidecar.
"""

import argparse
import fcntl
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from scripts.common.journal import Journal
from scripts.common.runner import Job, product_stands
from scripts.common.tables import Row

STAGE = "transcode_clips"
# Ends the name of the file that tells of a shard's dropped downloads.
TOLD = ".dropped.jsonl"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--clips`: what is made of a shard's downloads."""
    parser.add_argument(
        "--clips",
        type=json.loads,
        default={},
        metavar="JSON",
        help="of downloads that are not to be kept: the options of each encoding, by"
        " the manifest of the shard's clips (default: they are kept)",
    )


class Clips:
    """The clips of one shard in all encodings, as their jobs have journaled them."""

    def __init__(self, encodings: Mapping[str, dict]):
        """Read the journals; `encodings` is what `--clips` says."""
        self._made = []
        for manifest, options in encodings.items():
            path = Path(manifest)
            done = Journal(path.with_suffix(".journal"))
            self._made.append((Job(STAGE, path, path, options), done.rows))

    def stand(self, download: Row) -> bool:
        """Tell whether all clips of a download are there, as they are asked for now.

        A clip that is the download itself, or that failed, is none.
        """
        return bool(self._made) and all(
            (clip := rows.get(download.id)) is not None
            and clip.ok
            and clip.key == job.key(download)
            and clip.path != download.path
            and product_stands(clip)
            for job, rows in self._made
        )


def drop(downloads: Iterable[Row], folder: Path, clips: Clips) -> int:
    """Delete the downloads of which all clips stand; return how many that were.

    Args:
        downloads: the rows of a shard; several may be segments of one file.
        folder: where its downloads are; what lies elsewhere is the user's own.
        clips: made of them.
    """
    rows = [row for row in downloads if row.ok and Path(row.path).parent == folder]
    needed = {Path(row.path) for row in rows if not clips.stand(row)}
    spent = sorted({Path(row.path) for row in rows} - needed)
    if not spent:
        return 0
    with folder.with_suffix(TOLD).open("a", encoding="utf-8") as told:
        # The job of another encoding may have come to the same.
        fcntl.flock(told, fcntl.LOCK_EX)
        return sum(_drop(path, told) for path in spent)


def _drop(path: Path, told: TextIO) -> bool:
    """Delete a download, and its sidecar once it is told; tell whether it was there."""
    there, sidecar = path.exists(), path.with_suffix(".json")
    if sidecar.exists():
        text = sidecar.read_text(encoding="utf-8")
        told.write("".join(text.splitlines()) + "\n")
        told.flush()
    path.unlink(missing_ok=True)
    sidecar.unlink(missing_ok=True)
    return there
