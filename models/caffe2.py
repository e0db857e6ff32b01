"""Checkpoints of Caffe2: pickles of arrays, read without running code from the file.

PySlowFast (https://github.com/facebookresearch/SlowFast) publishes weights that were
trained in Caffe2 as pickles {"blobs": {name: array}}, written by Python 2. Their names
follow the layers of Caffe2's model zoo of non-local networks.
"""

import pickle
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

# Each layer's name in Caffe2 and here; p is 1 for the fast pathway's, which begin "t_".
_LAYERS = [
    (re.compile(blob), key)
    for blob, key in (
        (r"conv1", r"s1.pathway{p}_stem.conv"),
        (r"res_conv1_bn", r"s1.pathway{p}_stem.bn"),
        (r"res(\d)_(\d+)_branch1(_bn)?", r"s\1.pathway{p}_res\2.branch1\3"),
        (r"res(\d)_(\d+)_branch2([abc])(_bn)?", r"s\1.pathway{p}_res\2.branch2.\3\4"),
        (r"pool1_subsample", r"s1_fuse.conv_f2s"),
        (r"pool1_subsample_bn", r"s1_fuse.bn"),
        (r"res(\d)_\d+_branch2c_bn_subsample", r"s\1_fuse.conv_f2s"),
        (r"res(\d)_\d+_branch2c_bn_subsample_bn", r"s\1_fuse.bn"),
        (
            r"nonlocal_conv(\d)_(\d+)_(theta|phi|g|out)",
            r"s\1.pathway{p}_nonlocal\2.conv_\3",
        ),
        (r"nonlocal_conv(\d)_(\d+)_bn", r"s\1.pathway{p}_nonlocal\2.bn"),
        (r"pred", r"head.projection"),
    )
]

# "riv" is a variance, in spite of its name, which says "inverse".
_PARTS = {
    "w": "weight",
    "s": "weight",
    "b": "bias",
    "rm": "running_mean",
    "riv": "running_var",
}

# What training leaves behind besides the weights.
_SOLVERS = re.compile(r".*_momentum|lr|model_iter")


def load(file: BinaryIO) -> Any:
    """The content of a pickle of arrays, numbers, text and plain containers.

    No function of the file's choice is called or even imported, and none of NumPy's:
    `ndarray` itself takes bytes for pointers. Raises `pickle.UnpicklingError` for a
    file that names anything else; a damaged one can raise other exceptions as well.
    """
    return _plain(_Unpickler(file, encoding="latin1").load())


def state_dict(blobs: Mapping[str, Any]) -> dict[str, Any]:
    """Weights by PySlowFast's own keys, in order, without what belongs to the solver.

    Blobs of unknown names keep them. The counters of the batch norms
    (`num_batches_tracked`) have no blobs.
    """
    return {
        key(str(name)): value
        for name, value in blobs.items()
        if not _SOLVERS.fullmatch(str(name))
    }


def key(blob: str) -> str:
    """PySlowFast's own key of a blob, or the blob's name where there is none."""
    layer, _, part = blob.removeprefix("t_").rpartition("_")
    pathway = int(blob.startswith("t_"))
    for pattern, name in _LAYERS:
        found = pattern.fullmatch(layer)
        if found and part in _PARTS:
            return f"{found.expand(name)}.{_PARTS[part]}".format(p=pathway)
    return blob


class _Numbers:
    """A dtype of plain numbers; NumPy's own could make objects of the file's bytes."""

    def __init__(self, code: str, *_flags: bool) -> None:
        if not re.fullmatch(r"[biufc]\d+", code):
            raise pickle.UnpicklingError(f"it has an array of {code!r}, not of numbers")
        self.dtype = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """An array that is made first and filled then; `_plain` takes it out.

    Like all that a file may name here, it has a `__setstate__`, or is written in C: of
    anything else, a pickle could replace the attributes.
    """

    def __init__(self, *_empty: Any) -> None:
        self.array = None

    def __setstate__(self, state: tuple) -> None:
        _version, shape, numbers, fortran, data = state
        self._fill(data, numbers, shape, "F" if fortran else "C")

    def _fill(
        self, data: bytes | str, numbers: _Numbers, shape: tuple, order: str = "C"
    ) -> None:
        if isinstance(data, str):  # bytes of Python 2
            data = data.encode("latin1")
        array = np.frombuffer(data, numbers.dtype)
        self.array = array.reshape(shape, order=order)


class _Filled(_Array):
    """An array as protocol 5 has it."""

    def __init__(self, *content: Any) -> None:
        self._fill(*content)


class _Scalar(_Array):
    def __init__(self, numbers: _Numbers, data: bytes | str) -> None:
        self._fill(data, numbers, ())


# What the pickle of an array names, of protocols 2 to 5, by NumPy 1 and 2.
_ALLOWED = {
    ("collections", "OrderedDict"): dict,
    ("_codecs", "encode"): str.encode,
    ("numpy", "dtype"): _Numbers,
    ("numpy", "ndarray"): "ndarray",  # only named, never called
    **{
        (f"numpy.{core}.{name}", function): ours
        for core in ("core", "_core")
        for name, function, ours in (
            ("multiarray", "_reconstruct", _Array),
            ("multiarray", "scalar", _Scalar),
            ("numeric", "_frombuffer", _Filled),
        )
    },
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ALLOWED[module, name]


def _plain(content: Any) -> Any:
    if isinstance(content, _Array):
        return content.array
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return content
