"""Compute the optical flow of a shard's clips, from each frame to the next.

Input:  the clips' manifest, and for RAFT the ticket of its weights.
Output: the manifest, and the flow as pictures of its x and of its y component: in
        <manifest without .tsv>/<slug>/, or in one .tar or .h5 beside the manifest
        (see scripts/common/containers). T frames have T - 1 flows.

With each video is stored what made its flow and how pixels of motion became levels
(scripts/common/flow/quantisation.py), so that a model can refuse flow of another kind.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.common import cli, processes, runner
from scripts.common.containers.base import Moment
from scripts.common.containers.products import Products, products
from scripts.common.flow.making import (
    STORAGES,
    complete,
    estimator,
    quantisation_of,
    told,
)
from scripts.common.runner import Job, each, run_shard
from scripts.common.tables import Failure, Row


def flow_of_clip(
    row: Row, kept: Products, estimate: Callable, options: dict, batch_size: int = 8
) -> Row:
    """Compute and store the flow of one clip; return its row, with `frames` of flow.

    Args:
        row: the clip, with its number of frames.
        kept: where the pictures go.
        estimate: an estimator (see scripts/common/flow/algorithms.py).
        options: what `told` takes, and `layout` and `quality`, as in the config.
        batch_size: frames at a time; the result does not depend on it.

    Raises:
        Failure: `too_short` (one frame); `not_video`, `empty` or `corrupt`, when the
            clip does not give the frames that it should.
    """
    if row.frames < 2:
        raise Failure("too_short", "one frame has no flow to a next one")
    pieces = read_pieces(Path(row.path), batch_size)
    about = {
        "id": row.id,
        "key": row.key,
        "layout": options["layout"],
        "format": STORAGES[options["storage"]][1],
        "fps": row.fps,
        "flows": row.frames - 1,
        "flow": told(options),
    }
    flows = exactly(row.frames - 1, estimate(pieces))
    done = kept.add(row, about, as_pictures(flows, options))
    return replace(done, frames=row.frames - 1)


def read_pieces(path: Path, size: int) -> Iterator:
    """Yield a clip's frames, `size` at a time: uint8 tensors (n, 3, H, W), RGB."""
    # Importing torch takes seconds: not before there is a video to do.
    from scripts.common.engine.decoding import Frames

    video = Frames(path)
    for start in range(0, video.count, size):
        yield video.read(list(range(start, min(start + size, video.count))))


def exactly(count: int, flows: Iterable) -> Iterator[np.ndarray]:
    """Yield flows, tensors on any device, as arrays, unless the job is told to stop.

    Raises:
        Failure: `corrupt`, at the end, when there were more or fewer.
    """
    given = 0
    for flow in flows:
        processes.raise_if_stopping()
        given += 1
        yield flow.numpy(force=True)
    if given != count:
        raise Failure("corrupt", f"{given + 1} of {count + 1} frames came out")


def as_pictures(flows: Iterable[np.ndarray], options: dict) -> Iterator[Moment]:
    """Yield the x and the y picture of each flow (2, H, W), encoded."""
    quantisation = quantisation_of(options)
    for flow in flows:
        levels = quantisation.levels(flow)
        yield {
            stream: encoded(component, options)
            for stream, component in zip("xy", levels, strict=True)
        }


def encoded(levels: np.ndarray, options: dict) -> bytes:
    """Return levels (H, W) as a picture: uint8 as JPEG, uint16 as PNG."""
    buffer = io.BytesIO()
    picture = Image.fromarray(levels)
    if options["storage"] == "jpg":
        picture.save(buffer, "JPEG", quality=options["quality"])
    else:
        # Flow is noise to PNG: more effort takes three times as long for 5 % less.
        picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def compute_shard(job: Job, checkpoint: str | None, batch_size: int) -> None:
    """Compute the flow of one shard; what is there already is not done again."""
    kept = products(job, job.options["layout"])

    def process(rows: Iterable[Row]) -> Iterator[Row]:
        estimate = estimator(job.options, checkpoint)

        def work(row: Row) -> Row:
            return flow_of_clip(row, kept, estimate, job.options, batch_size)

        yield from each(work, job.threads)(rows)

    run_shard(job, process, kept.stand, kept.finish)


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard."""
    parser = cli.command("compute_flow", __doc__)
    runner.add_job_arguments(parser)
    parser.add_argument(
        "--ticket", type=Path, help="weights of RAFT, as fetch_checkpoint writes it"
    )
    parser.add_argument(
        "--batch-size", type=int, default=8, help="frames at a time (default: 8)"
    )
    arguments = parser.parse_args(argv)
    job = runner.job_from("compute_flow", arguments)
    ticket = {"file": None, "weights": None}
    if arguments.ticket:
        ticket = json.loads(arguments.ticket.read_text())
    job = replace(job, options=complete(job.options, ticket["weights"]))
    compute_shard(job, ticket["file"], arguments.batch_size)


if __name__ == "__main__":
    main()
