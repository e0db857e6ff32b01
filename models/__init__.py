"""The model zoo: action recognition networks as feature extractors.

    import models

    card = models.card("s3d_k400")                      # what it wants and gives
    path = models.fetch(card, "resources/checkpoints")  # its published weights
    extractor = models.create("s3d_k400", checkpoint=path)
    clip = models.prepare(frames, card)                 # uint8 frames -> (C, T, H, W)
    with torch.inference_mode():
        features = extractor(clip[None])["features"]    # (1, 1024)

Pure PyTorch; imports nothing from the workflow. Names and cards need no torch: what
does is imported at its first use. `python -m models` lists the zoo.
"""

from importlib import import_module

from models.cards import UnknownModel, card, names, resolve
from models.cards.base import Card, Checkpoint, Feature, Flow, Resize

# What needs torch, and where it stands.
_LAZY = {
    "CheckpointError": "models.checkpoints",
    "CheckpointUnavailable": "models.fetching",
    "Extractor": "models.zoo",
    "class_names": "models.classes",
    "count_macs": "models.zoo",
    "count_parameters": "models.zoo",
    "create": "models.zoo",
    "fetch": "models.fetching",
    "prepare": "models.transforms",
    "trained": "models.checkpoints",
}

__all__ = [
    "Card",
    "Checkpoint",
    "Feature",
    "Flow",
    "Resize",
    "UnknownModel",
    "card",
    "names",
    "resolve",
    *_LAZY,
]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'models' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
