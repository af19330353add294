"""One number for each matrix of a model, for several methods: where rounding hurts."""

from __future__ import annotations

from collections.abc import Mapping

from llmlab.figures.style import LINES, MARKERS, Drawing, canvas, colour, styled


@styled
def error_by_layer(errors: Mapping[str, Mapping[str, float]], label: str = "relative squared error of the output") -> Drawing:
    """Points joined by a line for each method, over the matrices in the order of the model, on a logarithmic scale.

    errors: method -> {matrix: error > 0}; every method has the same matrices. Raises ValueError if not, naming them.
    """
    names = [list(found) for found in errors.values()]
    if not names or not names[0] or any(one != names[0] for one in names):
        raise ValueError(f"give every method the same matrices, got {[len(one) for one in names]} of them")
    for method, found in errors.items():
        if bad := [name for name, error in found.items() if not error > 0]:
            raise ValueError(f"{method}: the error of {bad[0]} is {found[bad[0]]}; a logarithm needs more than 0")
    figure, axes = canvas(7.0, 3.9)
    for index, (method, found) in enumerate(errors.items()):
        axes.plot(range(len(found)), list(found.values()), linestyle=LINES[index % len(LINES)],
                  marker=MARKERS[index % len(MARKERS)], markersize=4, color=colour(index), label=method)
    axes.set_yscale("log")
    axes.set_xticks(range(len(names[0])), names[0], rotation=60, ha="right", fontsize=8)
    axes.set_ylabel(label)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(errors), borderaxespad=0.2)
    told = []
    for method, found in errors.items():
        worst = max(found, key=found.get)
        told.append(f"{method}: {found[worst]:.2g} at worst, in {worst}, and {min(found.values()):.2g} at best")
    figure.alt = f"The {label} of {len(names[0])} matrices. {'; '.join(told)}."
    return figure
