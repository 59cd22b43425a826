#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference cases of tests/oracle/cases against `hillock probe`; none may be refused."""
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "oracle"))
try:
    import check_cases
except ImportError as error:
    print("SKIPPED oracle_cases: %s" % error)
    sys.exit(77)
sys.exit(check_cases.main(os.path.join(here, "oracle", "cases"), everything=True))
