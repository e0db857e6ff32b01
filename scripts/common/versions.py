"""The version of each stage, raised by hand when the meaning of its output changes.

It is part of the params, and of each video's key: raising it does a stage again, and
everything after it. Edits that leave the output as it was do not raise it.
"""

VERSIONS = {
    "unpack_archive": 1,
    "build_index": 1,
    "transcode_clips": 1,
    "dump_frames": 1,
    "write_splits": 1,
    "fetch_checkpoint": 1,
    "extract_features": 1,
    "aggregate_features": 1,
    "summarise_dataset": 1,
    "check_failures": 1,
}
