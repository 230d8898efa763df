"""One module a DVC stage, run as ``python -m stages.NAME [KEY]``: I/O only, the science is in torchstone.studies."""

import os

# Read by the numeric libraries when they load, so set before any stage imports one. One thread a process: the work
# is spread over processes, and sums do not depend on how many cores a machine has.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_variable] = "1"
