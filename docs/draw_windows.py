"""Draw where windows begin and end: `python -m docs.draw_windows > docs/windows.svg`.

The windows are those of scripts/common/engine/windows.py, so that the picture cannot be
wrong.
"""

from collections.abc import Iterator
from html import escape

from scripts.common.engine.windows import Sampling, window_frames, window_starts

FRAMES = 10
CASES = (
    ("tail: drop", Sampling(4, 1, 4, "drop"), FRAMES),
    ("tail: pad", Sampling(4, 1, 4, "pad"), FRAMES),
    ("tail: last", Sampling(4, 1, 4, "last"), FRAMES),
    ("step: 2", Sampling(4, 1, 2, "drop"), FRAMES),
    ("step: 6", Sampling(4, 1, 6, "drop"), FRAMES),
    ("stride: 2", Sampling(4, 2, 8, "drop"), FRAMES),
    ("a short video", Sampling(4, 1, 4, "drop"), 3),
    ("4 of all frames", Sampling(None, 1, 1, "drop", picked=4), FRAMES),
)
CELL, ROW, LEFT, GAP = 34, 15, 150, 20
INK, QUIET, LINE, FILL, PADDED = "#26323a", "#7b8790", "#c9d0d4", "#2f7f86", "#d9a441"
FONT = 'font-family="system-ui, sans-serif" font-size="13"'


def rows_of(sampling: Sampling, frames: int) -> list[list[int]]:
    """Return each window's frames; those at or behind the end are padding."""
    if sampling.picked:
        return [window_frames(0, frames, sampling)]
    span = sampling.span(frames)
    return [
        list(range(start, start + span, sampling.stride))
        for start in window_starts(frames, sampling)
    ]


def draw() -> Iterator[str]:
    """Yield the lines of the picture."""
    height = GAP + sum(
        CELL + ROW * len(rows_of(sampling, frames)) + GAP
        for _, sampling, frames in CASES
    )
    width = LEFT + (FRAMES + 2) * CELL + GAP
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}">'
    )
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    top = GAP
    for name, sampling, frames in CASES:
        rows = rows_of(sampling, frames)
        yield text(LEFT - 16, top + 17, name, INK, "end")
        for frame in range(frames):
            left = LEFT + frame * CELL
            yield box(left, top, CELL - 2, 24, "white", LINE)
            yield text(left + CELL / 2 - 1, top + 17, str(frame), QUIET, "middle")
        for number, row in enumerate(rows):
            below = top + 28 + ROW * number
            for frame in row:
                fill = FILL if frame < frames else PADDED
                yield box(LEFT + frame * CELL, below, CELL - 2, 11, fill, fill)
        top += CELL + ROW * len(rows) + GAP
    yield "</svg>"


def box(left: float, top: float, width: float, height: float, fill: str, line: str):
    """Return a rectangle with round corners."""
    return (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="3"'
        f' fill="{fill}" stroke="{line}"/>'
    )


def text(left: float, bottom: float, words: str, colour: str, anchor: str) -> str:
    """Return some words."""
    return (
        f'<text x="{left}" y="{bottom}" fill="{colour}" text-anchor="{anchor}"'
        f" {FONT}>{escape(words)}</text>"
    )


if __name__ == "__main__":
    print("\n".join(draw()))
