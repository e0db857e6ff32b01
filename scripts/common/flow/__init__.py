"""Optical flow: what it is computed with, how it is written as pictures, and shown.

Flow k of a video leads from frame k to frame k + 1: T frames have T - 1 flows. It is
(x, y) in pixels, x to the right and y downwards: a thing at (c, r) in frame k is at
(c + x, r + y) in frame k + 1.
"""


def paired(frames: int) -> list[tuple[int, int]]:
    """Return (frame, flow) for each step of a two-stream network over a video.

    The RGB stream starts at the second image, so that frame k + 1 stands beside the
    flow that leads to it, k, and both streams are as long.

    >>> paired(4)
    [(1, 0), (2, 1), (3, 2)]
    """
    return [(flow + 1, flow) for flow in range(frames - 1)]
