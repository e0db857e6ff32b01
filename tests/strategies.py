"""Hypothesis strategies that several tests share."""

import os

from hypothesis import strategies as st

from scripts.common.tables import REASONS, Row

# What a file system may hand us: anything but NUL, also bytes that are no UTF-8.
file_names = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=20,
) | st.binary(min_size=1, max_size=20).map(
    lambda name: os.fsdecode(name.replace(b"\0", b"0"))
)
seconds = st.floats(0, 1e6, allow_nan=False)
counts = st.integers(0, 2**40)
rows = st.builds(
    Row,
    id=file_names,
    status=st.sampled_from(["ok", *REASONS]),
    message=file_names,
    path=file_names,
    start=st.none() | seconds,
    end=st.none() | seconds,
    frames=st.none() | counts,
    fps=st.none() | seconds,
    width=st.none() | counts,
    height=st.none() | counts,
    duration=st.none() | seconds,
    bytes=st.none() | counts,
    key=st.text("0123456789abcdef", max_size=16),
)
