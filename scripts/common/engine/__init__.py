"""The extraction engine: decoded frames, windows, networks, arrays."""

import os

# Threads of torch that wait are to sleep. By default they spin, on the cores on which
# others decode, and a job takes twice its time. OpenMP reads this when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
