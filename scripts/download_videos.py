"""Download the originals of a shard, one video after another.

Input:  a shard table of the index; `path` is a URL, a YouTube id, or a local file.
Output: <manifest without .tsv>/<name>.<suffix> for each address, with <name>.json that
        says what was taken, and the manifest. Rows of one address share its file.

A host that refuses again and again is left alone for a while, by all jobs; what was not
asked for is `pending`, and the next run of the job takes it.

Where a row has a reason to try again, <manifest without .tsv>.again counts such runs of
the job. The rule has the number among its params, so that the next run of the workflow
does run it; without such a row the number stays, and so does the manifest.
"""

import shutil
import sys
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path

from scripts.common import addresses, cli, dropping, files, tables
from scripts.common.addresses import Address
from scripts.common.downloads import NotReady, Settings
from scripts.common.downloads.hosts import REFUSALS, Hosts
from scripts.common.downloads.plain import PARTIAL, partial_path
from scripts.common.downloads.settings import add_settings, check_ready
from scripts.common.downloads.videos import Original, fetch_video, standing
from scripts.common.runner import (
    Job,
    add_job_arguments,
    job_from,
    product_stands,
    run_shard,
)
from scripts.common.tables import Failure, Row

STAGE = "download_videos"
# Whatever the config says of trying again: these say nothing about the video.
UNSETTLED = REFUSALS | {"pending"}


class Downloads:
    """The downloads of one job."""

    def __init__(self, job: Job, settings: Settings, hosts: Hosts):
        """Begin a job that has asked nobody yet."""
        self._job, self._settings, self._hosts = job, settings, hosts
        self._targets: dict[str, Path] = {}

    def process(self, rows: Iterable[Row]) -> Generator[Row]:
        """Do the rows one after another, each address once."""
        answers: dict[Address, Original | Failure] = {}
        for row in rows:
            address = addresses.parse(row.path)
            if address is None:
                yield local(row)
                continue
            target = self._job.folder / address.name
            self._targets[row.id] = target
            if address not in answers:
                answers[address] = self._answer(address, target)
            yield described(row, target, answers[address])

    def finish(self, rows: list[Row]) -> None:
        """Delete what nobody goes on from; note whether the job has to run again.

        Raises:
            SystemExit: videos are pending, and the config does not go on without them.
        """
        pending = [row for row in rows if row.status == "pending"]
        for message, count in Counter(row.message for row in pending).items():
            print(f"{count} of {len(rows)} videos are pending: {message}")
        if pending and self._settings.on_pending == "stop":
            sys.exit(
                f"error: {len(pending)} of {len(rows)} videos are pending:"
                f" {pending[0].message}. What is here is kept: run the same command"
                " again then, or set `download: on_pending: go_on` to do without them."
            )
        passing = self._job.retry - {"missing"}
        again = [row.id for row in rows if row.status in passing]
        if again:
            count_again(self._job.manifest)
        targets = (self._targets[name] for name in again if name in self._targets)
        kept = set(map(partial_path, targets))
        for folder in self._job.folder.glob(f"{PARTIAL}*"):
            if folder not in kept:
                shutil.rmtree(folder)

    def _answer(self, address: Address, target: Path) -> Original | Failure:
        if original := standing(address.url, target, self._job.options):
            return original
        if cooldown := self._hosts.cooldown(address.host):
            remedy = f"delete {self._hosts.path(address.host)} to ask before"
            return Failure("pending", f"{cooldown} ({remedy})")
        self._hosts.wait(address.host)
        try:
            original = fetch_video(
                address.url, target, self._job.options, self._settings
            )
        except Failure as failure:
            self._hosts.answered(address.host, failure.reason, str(failure))
            return failure
        self._hosts.answered(address.host)
        return original


def count_again(manifest: Path) -> None:
    """Count one more run of a job whose manifest is not the last word."""
    path = manifest.with_suffix(".again")
    before = int(path.read_text()) if path.exists() else 0
    files.write_text(path, f"{before + 1}\n")


def local(row: Row) -> Row:
    """Pass a row on whose video is on the disk already."""
    path = Path(row.path)
    if not path.is_file():
        return row.failed("missing", f"there is no file {path}")
    return replace(row, bytes=path.stat().st_size)


def described(row: Row, target: Path, answer: Original | Failure) -> Row:
    """Return the finished row of a video that was asked for."""
    if isinstance(answer, Failure):
        return row.failed(answer.reason, str(answer))
    return replace(
        row,
        path=str(target.with_name(answer.file)),
        bytes=answer.bytes,
        width=answer.width,
        height=answer.height,
        fps=answer.fps,
        duration=answer.duration,
    )


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard."""
    parser = cli.command(STAGE, __doc__)
    add_job_arguments(parser)
    add_settings(parser)
    parser.add_argument(
        "--cooldowns",
        type=Path,
        default=Path("resources/downloads"),
        metavar="DIR",
        help="where jobs tell each other which hosts to leave alone"
        " (default: resources/downloads)",
    )
    dropping.add_argument(parser)
    arguments = parser.parse_args(argv)
    job = job_from(STAGE, arguments)
    job = replace(job, retry=job.retry | UNSETTLED | {"missing"})
    settings = arguments.settings
    clips = dropping.Clips(arguments.clips)

    def stands(row: Row) -> bool:
        return product_stands(row) or clips.stand(row)

    downloads = Downloads(job, settings, Hosts(settings, arguments.cooldowns))
    try:
        check_ready((row.path for row in tables.read(job.table) if row.ok), settings)
        run_shard(job, downloads.process, stands, downloads.finish)
    except NotReady as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
