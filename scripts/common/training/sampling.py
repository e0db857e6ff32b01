"""Which frames of a video make the clip that a network sees."""

from dataclasses import dataclass

import numpy as np

from scripts.common.engine.windows import PICKS


@dataclass(frozen=True)
class FrameRule:
    """How the frames of a clip are chosen.

    Attributes:
        frames: of a clip.
        stride: from one frame to the next; of no meaning where they are spread.
        sampling: `dense` (neighbours, `stride` apart) or `uniform` (one of each of as
            many equal parts of the video).
        pick: the rule of `windows.PICKS` by which a part's frame is chosen in tests.
    """

    frames: int
    stride: int
    sampling: str
    pick: str = "middle"

    def drawn(self, count: int, rng: np.random.Generator) -> list[int]:
        """Return a training clip's frames of `count`, ascending, from 0.

        Dense: from a start drawn evenly. Uniform: a frame drawn evenly of each part,
        as Temporal Segment Networks do (https://arxiv.org/abs/1608.00859); of a video
        with fewer frames than parts, some repeat.
        """
        if self.sampling == "uniform":
            parts = np.arange(self.frames) + rng.random(self.frames)
            return (
                np.minimum(parts * count // self.frames, count - 1).astype(int).tolist()
            )
        return self._from(rng.integers(max(count - self._span, 0) + 1), count)

    def central(self, count: int) -> list[int]:
        """Return the frames of the one clip by which a video is judged in training.

        Dense: from the middle of the video. Uniform: the middle of each part.
        """
        if self.sampling == "uniform":
            return PICKS[self.pick](count, self.frames)
        return self._from(max(count - self._span, 0) // 2, count)

    @property
    def _span(self) -> int:
        return (self.frames - 1) * self.stride + 1

    def _from(self, start: int, count: int) -> list[int]:
        """Return frames from a start on; at the video's end the last one repeats."""
        numbers = start + self.stride * np.arange(self.frames)
        return np.minimum(numbers, count - 1).tolist()
