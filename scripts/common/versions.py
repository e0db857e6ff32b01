"""The version of each stage, raised by hand when the meaning of its output changes.

It is part of the params, and of each video's key: raising it does a stage again, and
everything after it. Edits that leave the output as it was do not raise it.
"""

VERSIONS = {
    "download_file": 1,
    "unpack_archive": 2,
    "build_index": 3,
    "download_videos": 1,
    "transcode_clips": 1,
    "dump_frames": 1,
    "compute_flow": 1,
    "write_splits": 2,
    "fetch_checkpoint": 1,
    "extract_features": 3,
    "train_model": 1,
    "map_annotations": 2,
    "aggregate_features": 2,
    "join_streams": 1,
    "score_videos": 1,
    "evaluate_model": 1,
    "probe_features": 1,
    "summarise_dataset": 1,
    "check_failures": 1,
}
