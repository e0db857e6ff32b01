"""Flow to look at: its direction as a colour, its speed as the colour's strength."""

import numpy as np
from matplotlib.colors import hsv_to_rgb


def wheel(flow: np.ndarray, limit: float) -> np.ndarray:
    """Return a picture of a flow: no motion is white, motion to the right is red.

    The other directions follow as on a clock face: down at a quarter of the hues
    (yellow-green), left at a half (cyan), up at three quarters (violet).

    Args:
        flow: (2, H, W), x and y in pixels.
        limit: pixels of motion from which on a colour has its full strength.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    x, y = flow.astype(np.float64)
    hue = np.arctan2(y, x) / (2 * np.pi) % 1
    strength = np.clip(np.hypot(x, y) / limit, 0, 1)
    colours = hsv_to_rgb(np.stack([hue, strength, np.ones_like(hue)], axis=-1))
    return np.rint(colours * 255).astype(np.uint8)
