"""Flow as pictures: pixels of motion to whole levels of 8 or 16 bits, and back.

    level = round(zero + scale * clamp(flow, -bound, bound))    half to even
    flow  = (level - zero) / scale

bits    zero     scale            flow 0 is    error at most
8       127.5    127.5 / bound    128          bound / 255
16      32768    32767 / bound    32768        bound / 65534

8 bits are round((flow + bound) * 255 / (2 * bound)), what denseflow and the tools of
TSN write. Written so, 0 is 128 for every bound, and not 127 for some by the rounding of
a float; read back it is +bound / 255, half a level.
"""

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Quantisation:
    """How flow becomes levels.

    bound: pixels of motion to either side; what is beyond is cut off.
    bits: 8 or 16.
    """

    bound: float
    bits: int = 8

    def __post_init__(self):
        if not self.bound > 0:
            raise ValueError(f"the bound must be positive, not {self.bound}")
        if self.bits not in (8, 16):
            raise ValueError(f"levels have 8 or 16 bits, not {self.bits}")

    @property
    def zero(self) -> float:
        """The level, not rounded yet, of no motion."""
        return 127.5 if self.bits == 8 else 32768.0

    @property
    def scale(self) -> float:
        """Levels in a pixel of motion."""
        return (127.5 if self.bits == 8 else 32767.0) / self.bound

    def levels(self, flow: np.ndarray) -> np.ndarray:
        """Return the levels of flow in pixels, uint8 or uint16, of the same shape."""
        kind = np.uint8 if self.bits == 8 else np.uint16
        levels = np.clip(flow, -self.bound, self.bound).astype(np.float64)
        # In place: new memory for each step takes several times as long as the step.
        levels *= self.scale
        levels += self.zero
        return np.rint(levels, out=levels).astype(kind)

    def restore(self, levels: np.ndarray) -> np.ndarray:
        """Return the flow of levels: float32, pixels, of the same shape."""
        return ((levels.astype(np.float64) - self.zero) / self.scale).astype(np.float32)

    def as_dict(self) -> dict:
        """Return what to tell of it, beside the pictures."""
        formula = "round(zero + scale * clamp(flow, -bound, bound)), half to even"
        return asdict(self) | {
            "zero": self.zero,
            "scale": self.scale,
            "level": formula,
        }

    @classmethod
    def from_dict(cls, about: dict) -> "Quantisation":
        """Return that of which `as_dict` told."""
        return cls(about["bound"], about["bits"])
