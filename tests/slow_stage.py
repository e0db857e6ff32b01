"""A stage that takes its time and keeps a log of what it did, to be killed by tests.

Usage: python -m tests.slow_stage LOG <arguments of a stage>. A video's path says what
happens: `fail:<reason>` fails, `fail-once:<reason>` fails the first time, `full` finds
no room on the disk.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

from scripts.common import files
from scripts.common.ids import slug
from scripts.common.runner import each, parse_job, run_shard
from scripts.common.tables import Failure, Row

SECONDS = 0.1


def main() -> None:
    log = Path(sys.argv[1])
    job = parse_job("slow_stage", "", sys.argv[2:])

    def work(row: Row) -> Row:
        before = log.read_text().split().count(row.id) if log.exists() else 0
        with log.open("a") as file:
            file.write(f"{row.id}\n")
        kind, _, reason = row.path.partition(":")
        if kind == "fail" or (kind == "fail-once" and not before):
            raise Failure(reason, "as asked")
        if kind == "full":
            Path("/dev/full").write_text("x")
        target = job.folder / slug(row.id)
        with files.atomic(target) as temporary:
            temporary.write_text("half of ")
            time.sleep(SECONDS)
            temporary.write_text(f"the product of {row.key}")
        return replace(row, path=str(target), bytes=target.stat().st_size)

    run_shard(job, each(work, job.threads))


if __name__ == "__main__":
    main()
