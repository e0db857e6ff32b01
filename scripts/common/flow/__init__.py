"""Optical flow: what it is computed with, how it is kept, read and shown.

Flow k of a video leads from frame k to frame k + 1: T frames have T - 1 flows. It is
(x, y) in pixels, x to the right and y downwards: a thing at (c, r) in frame k is at
(c + x, r + y) in frame k + 1.

To a network that takes flow, it is a video in which flow k stands at frame k + 1, where
it leads to; frame 0 has none. So the steps of both streams of a two-stream network
stand side by side when the other one, too, begins with the second image.
"""
