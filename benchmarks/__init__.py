"""Speed against peers and against the machine's limit, as ratios of interleaved runs; never part of the tests."""

import stages  # noqa: F401  sets one thread a process before a numeric library loads, as in the pipeline
