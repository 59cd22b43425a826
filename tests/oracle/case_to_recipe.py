#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""case_to_recipe.py CASE: writes the recipe of a case folder, as JSON, to standard output."""
import json
import os
import sys


def recipe(case):
    """Layers and rule carry the same keys in both formats."""
    loss = dict(case["loss"])
    loss["name"] = loss.pop("kind")
    return {
        "data": {"name": "none", "shape": case["input_shape"], "classes": case["classes"]},
        "encode": {"name": "none"},
        "net": {"layers": case["network"]},
        "rule": case["rule"],
        "loss": loss,
        "train": {"T": case["T"], "batch": case["B"]},
    }


def read(folder):
    with open(os.path.join(folder, "case.json"), encoding="utf-8") as file:
        return json.load(file)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    json.dump(recipe(read(sys.argv[1])), sys.stdout, indent=1)
    print()
