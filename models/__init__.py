"""The model zoo: action recognition networks as feature extractors.

    import models

    card = models.card("s3d_k400")                      # what it wants and gives
    path = models.fetch(card, "resources/checkpoints")  # its published weights
    extractor = models.create("s3d_k400", checkpoint=path)
    clip = models.prepare(frames, card)                 # uint8 frames -> (C, T, H, W)
    with torch.inference_mode():
        features = extractor(clip[None])["features"]    # (1, 1024)

Pure PyTorch; imports nothing from the workflow. `python -m models` lists the zoo.
"""

from models import r2plus1d, s3d  # noqa: F401 - a family registers on import
from models.cards import Card, Checkpoint, Feature, Resize
from models.checkpoints import CheckpointError, CheckpointUnavailable, fetch
from models.classes import class_names
from models.transforms import prepare
from models.zoo import (
    Extractor,
    UnknownModel,
    card,
    count_parameters,
    create,
    names,
    register,
    resolve,
)

__all__ = [
    "Card",
    "Checkpoint",
    "CheckpointError",
    "CheckpointUnavailable",
    "Extractor",
    "Feature",
    "Resize",
    "UnknownModel",
    "card",
    "class_names",
    "count_parameters",
    "create",
    "fetch",
    "names",
    "prepare",
    "register",
    "resolve",
]
