#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fresh random cases against `hillock probe`: 40, a function of ORACLE_SEED (default 1). The oracle
is tests/oracle/dual.py; ORACLE_COUNT asks for more. Takes a few seconds."""
import os
import sys
import tempfile

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "oracle"))
try:
    import check_cases
    import random_cases
except ImportError as error:
    print("SKIPPED oracle_random: %s" % error)
    sys.exit(77)
count, seed = int(os.environ.get("ORACLE_COUNT", "40")), int(os.environ.get("ORACLE_SEED", "1"))
with tempfile.TemporaryDirectory() as folder:
    draws = random_cases.write_cases(folder, count, seed)
    print("seed %d: %d cases of %d draws" % (seed, count, draws))
    sys.exit(check_cases.main(folder, everything=True))
