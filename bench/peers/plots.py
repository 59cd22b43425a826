# SPDX-License-Identifier: Apache-2.0
"""Pictures of results."""


def scaling(case, points, path):
    """Time and memory of a training step over T and over the batch, one line a contestant."""
    import matplotlib
    matplotlib.use("svg")
    from matplotlib import pyplot
    over = {"T": [p for p in points if p["batch"] == case.batch], "batch": [p for p in points if p["T"] == case.T]}
    kinds = (("seconds", lambda p, n: p["seconds"][n]["median"]), ("MiB above idle", lambda p, n: p["peak"][n] / 2**20))
    figure, axes = pyplot.subplots(2, 2, figsize=(9, 6.5), layout="constrained")
    for column, (axis, own) in zip(axes.T, over.items()):
        own = sorted(own, key=lambda p: p[axis])
        at = [p[axis] for p in own]
        for ax, (what, value) in zip(column, kinds):
            for name in points[0]["seconds"]:
                ax.plot(at, [value(p, name) for p in own], marker="o" if name.startswith("hillock") else "s",
                        linestyle="-" if name.startswith("hillock") else "--", label=name)
            ax.set(xscale="log", yscale="log", ylabel=what, xlabel="steps T" if axis == "T" else "batch")
            ax.set_xticks(at, [str(a) for a in at])
            ax.minorticks_off()
            ax.grid(alpha=0.3)
    axes[0, 0].set_title("a training step, batch %d" % case.batch)
    axes[0, 1].set_title("a training step, T = %d" % case.T)
    axes[0, 0].legend(fontsize=8)
    figure.savefig(path)
    pyplot.close(figure)
