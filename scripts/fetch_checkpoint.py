"""Get a model's weights ready: download them, or look up the file that is named.

Input:  the name of a model, and which weights: `published`, `random`,
        `imagenet` or a file.
Output: a small JSON file, the ticket: the model, the file (null for random weights) and
        the file's sha256, and what `train_model` says of a network of its own. Whatever
        depends on the weights depends on the ticket.
"""

import json
import sys
from pathlib import Path

import models
from models.cards.imagenet import with_image_weights
from models.cards.raft import BY_NAME as FLOW_CARDS
from scripts.common import cli, files

SEED = 0


def ticket(model: str, checkpoint: str, directory: Path) -> dict:
    """Return the ticket for a model's weights; published ones are downloaded.

    Args:
        model: name in the zoo, or of a network for flow.
        checkpoint: `published`, `random`, `imagenet` (of the 2D network to be
            inflated), or the path of a file.
        directory: where downloads are kept.

    Returns:
        What the ticket holds; of a network that `train_model` trained also its
        `classes` and the `clips` that it learnt from.

    Raises:
        models.CheckpointError: the file is no checkpoint.
        models.CheckpointUnavailable: the download failed; the message says what to do.
        FileNotFoundError: the file is not there.
    """
    if checkpoint == "random":
        return {"model": model, "file": None, "weights": f"random, seed {SEED}"}
    if checkpoint in ("published", "imagenet"):
        card = FLOW_CARDS.get(model) or models.card(model)
        if checkpoint == "imagenet":
            card = with_image_weights(card)
        path = models.fetch(card, directory)
    else:
        path = Path(checkpoint)
        if not path.is_file():
            raise FileNotFoundError(f"there is no checkpoint {path}")
    found = {"model": model, "file": str(path), "weights": files.sha256(path)}
    own = checkpoint not in ("published", "imagenet")
    return found | (models.trained(path) if own else {})


def main(argv: list[str] | None = None) -> None:
    """Write the ticket of one model."""
    parser = cli.command("fetch_checkpoint", __doc__)
    cli.add_options(
        parser, "`model`, and `checkpoint`: `published`, `random`, `imagenet` or a file"
    )
    parser.add_argument(
        "--directory", type=Path, required=True, help="where downloads are kept"
    )
    parser.add_argument("--ticket", type=Path, required=True, help="JSON file to write")
    arguments = parser.parse_args(argv)
    model, checkpoint = (arguments.options[key] for key in ("model", "checkpoint"))
    try:
        content = ticket(model, checkpoint, arguments.directory)
    except (
        models.CheckpointError,
        models.CheckpointUnavailable,
        FileNotFoundError,
    ) as error:
        sys.exit(f"error: {error}")
    files.write_text(arguments.ticket, json.dumps(content, indent=1) + "\n")
    print(f"{model}: {content['file'] or content['weights']}")


if __name__ == "__main__":
    main()
