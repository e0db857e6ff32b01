"""The algorithms: from a video's frames to its flows, a few at a time.

An estimator takes a video's frames in order, in pieces, uint8 (n, 3, H, W), RGB, and
yields its flows in order, each float32 (2, H, W), on the device that found them.
Several videos may be in it at a time.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from itertools import pairwise
from threading import Lock

import cv2
import numpy as np
import torch
from torch import Tensor

from models.raft import Raft

Estimator = Callable[[Iterable[Tensor]], Iterator[Tensor]]

OPENCV = {
    # Zach, Pock and Bischof, "A Duality Based Approach for Realtime TV-L1 Optical Flow"
    "tvl1": cv2.optflow.DualTVL1OpticalFlow_create,
    # Farneback, "Two-Frame Motion Estimation Based on Polynomial Expansion"
    "farneback": cv2.FarnebackOpticalFlow_create,
}


def opencv(create: Callable[[], cv2.DenseOpticalFlow], parameters: dict) -> Estimator:
    """Return an algorithm of OpenCV, on grey frames.

    Args:
        create: a key's value in OPENCV.
        parameters: its properties by OpenCV's names, but in snake case.
    """
    # Several videos at a time keep the cores busy; threads within one cost more.
    cv2.setNumThreads(1)

    def flows(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        # One for each video: it keeps buffers, and is not for two threads.
        algorithm = create()
        for name, value in parameters.items():
            getattr(algorithm, "set" + name.title().replace("_", ""))(value)
        for before, after in pairwise(_grey(pieces)):
            flow = algorithm.calc(before, after, None)
            yield torch.from_numpy(flow).permute(2, 0, 1)

    return flows


def _grey(pieces: Iterable[Tensor]) -> Iterator[np.ndarray]:
    for piece in pieces:
        for frame in piece.permute(0, 2, 3, 1).cpu().contiguous().numpy():
            yield cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def raft(network: Raft) -> Estimator:
    """Return RAFT, on a GPU where there is one; as many pairs at a time as come in.

    Args:
        network: with its weights; it is moved to the device.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    # By default convolutions on a GPU round float32 to 10 bits of mantissa.
    torch.backends.cudnn.allow_tf32 = False
    # On a CPU a thread for each video is faster than several for one, as for OpenCV.
    torch.set_num_threads(1)
    # A GPU serves one at a time; the threads of other videos decode and write then.
    turn = Lock() if device == "cuda" else nullcontext()

    def flows(pieces: Iterable[Tensor]) -> Iterator[Tensor]:
        seen = None
        for piece in pieces:
            with turn:
                seen, found = network.step(seen, piece.to(device))
            yield from found

    return flows
