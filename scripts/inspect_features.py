"""Show what is inside a file of features: `python -m scripts.inspect_features FILE`.

Input:  HDF5 made by extract_features or aggregate_features, of either layout.
Output: what made it, its arrays, and its first videos, as text; as JSON with --json.
"""

import json
import sys
from itertools import islice
from pathlib import Path

from scripts.common import cli
from scripts.common.store import FeatureStore, NotFeatures

# What is shown of the provenance, in words; the rest is in --json.
SHOWN = {
    "model": "model",
    "weights": "weights",
    "stack": "frames in a window",
    "stride": "from frame to frame",
    "step": "from window to window",
    "tail": "last window",
    "picked": "frames picked of a window",
    "fps": "frames per second",
    "precision": "precision",
}


def about(store: FeatureStore, videos: int) -> dict:
    """Return what is inside, plain JSON: provenance, arrays, the first videos."""
    first = islice(zip(store.ids, store.lengths(), strict=True), videos)
    return {
        "layout": store.layout,
        "provenance": store.provenance,
        "videos": len(store),
        "windows": sum(store.lengths()),
        "arrays": {name: list(store.shape(name)) for name in store.names},
        "first": dict(first),
    }


def as_text(facts: dict) -> str:
    """Return the same for people."""
    made = facts["provenance"]
    lines = [
        f"{facts['videos']} videos, {facts['windows']} windows, {facts['layout']}",
        "",
        *(
            f"{words}: {made[key] or 'those of the video'}"
            for key, words in SHOWN.items()
            if key in made
        ),
        "",
        "arrays, by the shape of a row:",
        *(f"  {name} {tuple(shape)}" for name, shape in facts["arrays"].items()),
        "",
        f"the first {len(facts['first'])} videos:",
        *(f"  {name}: {windows} windows" for name, windows in facts["first"].items()),
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> None:
    """Print what is inside a file."""
    parser = cli.command("inspect_features", __doc__)
    parser.add_argument("file", type=Path, help="HDF5 with features")
    parser.add_argument("--json", action="store_true", help="all of it, for programs")
    parser.add_argument(
        "--videos", type=int, default=5, metavar="N", help="how many (default: 5)"
    )
    arguments = parser.parse_args(argv)
    try:
        facts = about(FeatureStore(arguments.file), arguments.videos)
    except (NotFeatures, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    print(json.dumps(facts, indent=1) if arguments.json else as_text(facts))


if __name__ == "__main__":
    main()
