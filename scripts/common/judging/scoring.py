"""Scores of videos: which views of each a model gets, and what is kept of them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

import models
from models.cards.protocols import protocol
from scripts.common import index
from scripts.common.engine import features
from scripts.common.engine.feature_shards import Shard
from scripts.common.engine.features import PICKS, WHOLE
from scripts.common.engine.parts import Part, whole
from scripts.common.index import Entry
from scripts.common.judging.metrics import matched
from scripts.common.lists.base import ListError
from scripts.common.lists.splits import members_of
from scripts.common.runner import Job
from scripts.common.tables import Failure, Row

# The value of `sampling` for which the views are the windows of features.
WINDOWS = "windows"
# Whose authors have a rule of their own for several uniform clips.
SPREADS = {"https://github.com/mit-han-lab/temporal-shift-module": "twice"}


def complete(options: dict, weights: str, clips: Mapping | None = None) -> dict:
    """Return the options of scores with the model's own values where they are null.

    Args:
        options: of a model entry of the config, and `views`.
        weights: sha256 of the checkpoint, or what the random weights are.
        clips: what the network learnt from, if it was trained here (see the ticket).
    """
    card = features.card_of(options["model"], clips)
    views = views_of(options["views"], card)
    full = features.complete(options, weights, clips) | {"views": views}
    if views["sampling"] == WINDOWS:
        return full
    frames = options["stack"]
    if frames in (None, WHOLE):
        frames = card.frames
    for name in ("picked", "pick"):
        full.pop(name, None)
    if views["sampling"] == "dense":
        stride = options["stride"] or card.stride
        own = {"stack": frames, "stride": stride, "clips": views["clips"]}
    elif views["clips"] == 1:
        own = {"picked": frames, "pick": PICKS.get(card.source, "middle")}
    else:
        spread = SPREADS.get(card.source, "shifted")
        own = {"picked": frames, "clips": views["clips"], "spread": spread}
    whole = {"stack": WHOLE, "stride": 1, "step": 1}
    return full | whole | own


def views_of(asked: dict, card: models.Card) -> dict:
    """Return the views with those of the card's protocol where they are null.

    Another sampling than the protocol's, if it is asked for, has one clip.
    """
    known = asdict(protocol(card))
    if asked["sampling"] not in (None, known["sampling"]):
        known["clips"] = 1
    return {
        name: value if asked[name] is None else asked[name]
        for name, value in known.items()
    }


def one_score(logits: np.ndarray, average: str) -> np.ndarray:
    """Return a video's scores, float32 (1, classes), of those of its views.

    Args:
        logits: (views, classes).
        average: a key of `models.cards.protocols.AVERAGES`.
    """
    logits = logits.astype(np.float64)
    if average == "maximum":
        return logits.max(axis=0, keepdims=True).astype(np.float32)
    if average == "probabilities":
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        logits = shifted / shifted.sum(axis=1, keepdims=True)
    return logits.mean(axis=0, keepdims=True).astype(np.float32)


def listed(folder: Path, chosen: dict) -> dict[str, Entry]:
    """Return the videos in one list of a dataset by their ids, sorted.

    Args:
        folder: the index.
        chosen: `set` and `splits`, as `write_splits` takes them, and `split`.

    Raises:
        ListError: the set of splits does not fit the dataset, or has no such list.
    """
    entries = {e.row.id: e for e in index.read_videos(folder / "videos.tsv")}
    members = members_of(chosen["splits"], chosen["set"], entries)
    if chosen["split"] not in members:
        raise ListError(
            f"the set of splits '{chosen['set']}' has no list '{chosen['split']}'; it"
            f" has {', '.join(members)}"
        )
    return {video_id: entries[video_id] for video_id in members[chosen["split"]]}


def refuse_unknown_classes(videos: Iterable[Entry], names: Sequence[str]) -> None:
    """See that a model knows the classes of videos: told before hours of scoring.

    Args:
        videos: those without labels have nothing to check.
        names: the model's classes.

    Raises:
        ClassMismatch: it does not.
    """
    matched(sorted({label for entry in videos for label in entry.labels}), names)


class ScoreShard(Shard):
    """A shard of one evaluation: scores of those of its videos that are in a list."""

    complete = staticmethod(complete)

    def __init__(
        self,
        job: Job,
        weights: Path,
        videos: Collection[str],
        batch_size: int | None,
        compiled: bool,
        *flow: Path | int | None,
    ):
        """Complete the job's options by the ticket of the weights.

        videos: ids of all videos in the list.
        flow: as of a shard of features.
        """
        super().__init__(job, weights, batch_size, compiled, *flow)
        self._videos = frozenset(videos)
        self._logits: dict[str, list[np.ndarray]] = {}

    def wants(self, row: Row) -> bool:
        """Tell whether a video is in the list."""
        return row.id in self._videos

    def keep(self, row: Row, result: Part | Failure) -> Row | None:
        """Keep the mean of a video's views once all are there; return its row then."""
        views = self._logits.setdefault(row.id, [])
        if isinstance(result, Part):
            views += [result.arrays["logits"]] if "logits" in result.arrays else []
            if not result.is_last:
                return None
            average = self.job.options["views"]["average"]
            result = whole({"scores": one_score(np.concatenate(views), average)})
        del self._logits[row.id]
        return super().keep(row, result)
