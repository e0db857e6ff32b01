"""Files of features as tests write them."""

from pathlib import Path

from scripts.common.engine.parts import Arrays, PartFile, whole


def write_part(path: Path, video_id: str, key: str, arrays: Arrays) -> int:
    """Write one video's arrays as a file of its own; return its size in bytes."""
    file = PartFile(path, video_id, key)
    file.add(whole(arrays))
    return file.finish()
