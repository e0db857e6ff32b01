"""The extraction engine: decoded frames, windows, networks, arrays."""
