"""Benchmarks of the engine, which says how OpenMP waits: before torch is loaded."""

import scripts.common.engine  # noqa: F401
