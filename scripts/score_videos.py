"""Score the videos of a shard that are in a list: the mean over views of a model.

Input:  the manifest of the clips or of the flow, the index, and the ticket of the
        model's weights.
Output: <manifest without .tsv>.h5 with a group for each of the list's videos that are
        in the shard, in it `scores` (1, classes), ordered as the model's logits; the
        manifest, with a row for each of them; and <manifest without .tsv>.times.tsv,
        which says where the time went.
"""

import json
import sys
from pathlib import Path

from scripts.common import cli, runner
from scripts.common.engine import features
from scripts.common.engine.arguments import add_engine_arguments, add_flow_arguments
from scripts.common.engine.feature_shards import extract_shard
from scripts.common.engine.windows import Unsuited
from scripts.common.judging import scoring
from scripts.common.judging.metrics import ClassMismatch
from scripts.common.judging.scoring import ScoreShard
from scripts.common.lists.base import ListError


def main(argv: list[str] | None = None) -> None:
    """Run the stage on one shard."""
    parser = cli.command("score_videos", __doc__)
    runner.add_job_arguments(parser)
    parser.add_argument("--index", type=Path, required=True, help="index directory")
    parser.add_argument("--ticket", type=Path, required=True, help="of the weights")
    add_engine_arguments(parser)
    add_flow_arguments(parser)
    arguments = parser.parse_args(argv)
    # Which videos are asked for decides about no score.
    chosen = arguments.options.pop("list")
    job = runner.job_from("score_videos", arguments)
    try:
        videos = scoring.listed(arguments.index, chosen)
        names = features.class_names(json.loads(arguments.ticket.read_text()))
        scoring.refuse_unknown_classes(videos.values(), names)
        speed = arguments.batch_size, arguments.compile
        flow = arguments.flow_ticket, arguments.flow_batch_size
        extract_shard(ScoreShard(job, arguments.ticket, videos, *speed, *flow))
    except (ClassMismatch, ListError, Unsuited) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
