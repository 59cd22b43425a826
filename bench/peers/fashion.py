# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST as Hillock's recipes normalise it, from the four files as published."""
import gzip
import os

import numpy as np

MEAN, STD = 0.286, 0.353


def images(folder, split="train"):
    """x [N,1,28,28] float32, label [N]. split: train or t10k."""
    found = []
    for name, head in (("images-idx3-ubyte", 16), ("labels-idx1-ubyte", 8)):
        path = os.path.join(folder, split + "-" + name)
        with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz", "rb") as f:
            found.append(np.frombuffer(f.read(), np.uint8, offset=head))
    return ((found[0].reshape(-1, 1, 28, 28) / 255 - MEAN) / STD).astype("f4"), found[1].astype("i8")
