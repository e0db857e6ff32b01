"""Published weights: read them without running code, load them.

`read` makes tensors of a file, `load_strict` puts them into a network;
`models.fetching` brings the files. A checkpoint is a pickle, and a pickle from the
network can run anything: PyTorch's are read with `weights_only=True`, Caffe2's by
`models.caffe2`. Which one a file is, its first bytes say; names like `.pkl` mean
either.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models import caffe2
from models.recognition import recognised

ZIP = b"PK\x03\x04"
"""How the archive begins that torch.save makes."""

BARE = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The number at the head of torch.save's files from before 1.6, which are pickles."""

MAGIC = (ZIP, b"\x80")
"""How a checkpoint begins: with PyTorch's archive, or as a pickle."""

MISTAKEN = {
    b"\x1f\x8b": "a gzip archive: unpack the checkpoint first",
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` first",
    b"<": "a web page: download the file itself",
}
"""How files begin that are mistaken for checkpoints, and what they are."""


class CheckpointError(ValueError):
    """A file that is no checkpoint, or a checkpoint that does not fit the network."""


def read(path: str | Path) -> dict[str, Tensor]:
    """The weights in a checkpoint file, on the CPU, by the network's own keys.

    Takes every layout of `tensors`. Raises FileNotFoundError, and `CheckpointError`
    for a file that holds anything but tensors and plain containers.
    """
    return read_with_classes(path)[0]


def read_with_classes(
    path: str | Path,
) -> tuple[dict[str, Tensor], tuple[str, ...] | None]:
    """The same, and the names of the classes where the file has them (`class_list`)."""
    path = Path(path)
    content = _loaded(path)
    try:
        return tensors(content), class_list(content)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def trained(path: str | Path) -> dict[str, Any]:
    """What a checkpoint of `train_model` says of itself; empty for any other.

    `classes`, their names, and `clips`, what the network learnt from: `frames`,
    `stride`, `sampling` and `fps` as on a card, and `size`, their side in pixels.
    Errors are those of `read`.
    """
    content = _loaded(Path(path))
    classes = class_list(content)
    options = content.get("options") if classes else None
    if not isinstance(options, Mapping):
        return {"classes": list(classes)} if classes else {}
    names = ("frames", "stride", "sampling", "fps", "size")
    clips = {name: options[name] for name in names}
    return {"classes": list(classes), "clips": clips}


def class_list(content: Any) -> tuple[str, ...] | None:
    """The classes that a checkpoint of `train_model` names; None for any other."""
    named = content.get("classes") if isinstance(content, Mapping) else None
    return tuple(named) if isinstance(named, list | tuple) else None


def tensors(content: Any) -> dict[str, Tensor]:
    """The plain {key: tensor} in what a checkpoint holds, however it is wrapped.

    Goes into `state_dict` or `model_state`, gives Caffe2's `blobs` PyTorch's keys,
    takes DataParallel's `module.` off when all keys have it, and turns arrays into
    tensors. Raises `CheckpointError` for anything else.
    """
    for nest in ("state_dict", "model_state"):
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if isinstance(content, Mapping) and isinstance(content.get("blobs"), Mapping):
        content = caffe2.state_dict(content["blobs"])
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError("no mapping of keys to tensors")
    prefix = "module."
    if not all(str(key).startswith(prefix) for key in content):
        prefix = ""
    state = {}
    for key, value in content.items():
        if not isinstance(value, Tensor):
            try:
                value = torch.tensor(value)
            except (TypeError, ValueError, RuntimeError) as error:
                kind = type(value).__name__
                raise CheckpointError(f"{key} is no tensor but a {kind}") from error
        state[str(key).removeprefix(prefix)] = value
    return state


def load_strict(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy weights into a network, every one of them and nothing else.

    Only BatchNorm's `num_batches_tracked` may be missing: it is not in checkpoints
    from before PyTorch 0.4 or of Caffe2, and counts nothing once training is over. The
    layouts of `_as_in` are the network's own too.

    Raises `CheckpointError`, which names what is missing, unexpected or of another
    shape, and what the weights look like, if they are of another network that the zoo
    knows.
    """
    own = network.state_dict()
    state = _as_in(own, state)
    problems = {
        "missing": [
            key
            for key in own
            if key not in state and not key.endswith(".num_batches_tracked")
        ],
        "unexpected": [key for key in state if key not in own],
        "of another shape": [
            f"{key} {tuple(value.shape)}, not {tuple(own[key].shape)}"
            for key, value in state.items()
            if key in own and value.shape != own[key].shape
        ],
    }
    if any(problems.values()):
        lines = (f"{_some(keys)} {what}" for what, keys in problems.items() if keys)
        kind = type(network).__name__
        message = f"the checkpoint does not fit {kind}: {'; '.join(lines)}"
        # PySlowFast's networks tell themselves apart: their keys are the same.
        looks = network.recognise(state) if hasattr(network, "recognise") else None
        looks = looks or recognised(state, own)
        raise CheckpointError(
            f"{message}; the file looks like {looks}" if looks else message
        )
    network.load_state_dict(state, strict=False)


def _as_in(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights by the network's own keys and shapes, where only these differ.

    Multigrid training (https://arxiv.org/abs/1912.00998) norms each part of a batch by
    itself: the statistics of the whole are those of a norm `bn` inside the norm, and
    those of the parts, `split_bn`, are for training alone. Axes of length 1 at the end
    of a shape mean nothing: the weights of a linear layer are those of a convolution.
    """
    found = {}
    for key, value in state.items():
        part = re.fullmatch(r"(.*bn\.)(split_bn|bn)\.(\w+)", key)
        if part and key not in own and f"{part[1]}{part[3]}" in own:
            if part[2] == "split_bn":
                continue
            key = f"{part[1]}{part[3]}"
        if key in own and _trimmed(value.shape) == _trimmed(own[key].shape):
            value = value.reshape(own[key].shape)
        found[key] = value
    return found


def _trimmed(shape: torch.Size) -> torch.Size:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def check_magic(path: Path) -> None:
    """Raise `CheckpointError` unless a file begins as a checkpoint does."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(MAGIC):
        return
    for beginning, kind in MISTAKEN.items():
        if head.lstrip().startswith(beginning):
            raise CheckpointError(f"{path} is {kind}")
    what = "is not a PyTorch checkpoint" if head else "is empty"
    raise CheckpointError(f"{path} {what}")


def _loaded(path: Path) -> Any:
    """What a file holds; raises as `read` does."""
    check_magic(path)
    try:
        content = _content(path)
    except Exception as error:  # a damaged or hostile pickle can raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise CheckpointError(
            f"{path} is damaged or holds more than plain tensors, and is not loaded: "
            f"{reason[0]}"
        ) from error
    return content


def _content(path: Path) -> Any:
    """What a file holds, read by the program that its first bytes speak for."""
    with path.open("rb") as file:
        head = file.read(32)
        if head.startswith(ZIP) or BARE in head:
            return torch.load(path, map_location="cpu", weights_only=True)
        file.seek(0)
        return caffe2.load(file)


def _some(keys: list[str], shown: int = 5) -> str:
    rest = len(keys) - shown
    return ", ".join(keys[:shown]) + (f" and {rest} more" if rest > 0 else "")
