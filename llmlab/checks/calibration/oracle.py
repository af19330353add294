"""Plain ways to compute what `calibration` asks for: number by number, and with inverses written out.

Everything is float64. Codes are -q..q, q = 2^(bits-1) - 1, and scale = largest magnitude / q. `margin` tells how far
a rounded number was from the middle of two codes: where it is small, two right programs may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


class Rounding:
    """Rounds single numbers, and remembers the least distance from the middle of two codes."""

    def __init__(self) -> None:
        self.margin = 1.0

    def __call__(self, number: float, scale: float, bits: int) -> float:
        last = 2 ** (bits - 1) - 1
        exact = number / scale
        if abs(exact) < last + 0.5:
            self.margin = min(self.margin, abs(abs(exact) % 1 - 0.5))
        return max(-last, min(last, round(exact))) * scale


def scale_of(numbers: Sequence[float], bits: int) -> float:
    """Largest magnitude / q, and 1 for nothing but zeros."""
    largest = max((abs(number) for number in numbers), default=0.0)
    return largest / (2 ** (bits - 1) - 1) if largest else 1.0


def nearest(w: Tensor, bits: int, group: int | None = None, rounding: Rounding | None = None) -> Tensor:
    """Every number of w (O, I) to the grid of its group of neighbours in a row."""
    rounding, size, out = rounding or Rounding(), group or w.shape[1], []
    for row in w.tolist():
        made: list[float] = []
        for start in range(0, len(row), size):
            part = row[start : start + size]
            scale = scale_of(part, bits)
            made += [rounding(number, scale, bits) for number in part]
        out.append(made)
    return torch.tensor(out, dtype=torch.float64)


def nearest_at_once(w: Tensor, bits: int, group: int | None = None) -> tuple[Tensor, float]:
    """The same as `nearest` and its margin, for all numbers at once: for searches that round very often."""
    last, parts = 2 ** (bits - 1) - 1, w.double().reshape(len(w), -1, group or w.shape[1])
    exact = parts / (parts.abs().amax(2, keepdim=True).clamp(min=1e-300) / last)
    margin = float((exact.abs() % 1 - 0.5).abs().min())
    return (exact.round() * parts.abs().amax(2, keepdim=True) / last).view_as(w), margin


@dataclass(frozen=True)
class Gptq:
    """The right rule, and ways to get it wrong."""

    compensate: bool = True
    sign: float = -1.0
    fresh_inverse: bool = True  # the inverse of what is left, as U_ij / U_ii says; else that of all columns
    done_too: bool = False  # columns that are done get their share, too
    divide: bool = True  # by U_ii
    scales_first: bool = False  # group scales of the weights as given
    groups: bool = True
    order: str = "as asked"
    restore: bool = True
    of_weights: bool = False
    of_the_hessian: bool = False  # the factor of H, not of its inverse


RIGHT = Gptq()


def gptq(w: Tensor, hessian: Tensor, bits: int, group: int | None = None, act_order: bool = False,
         rule: Gptq = RIGHT, rounding: Rounding | None = None) -> Tensor:
    """Optimal brain quantization, one column after the other, with the inverse of what is left computed anew each time.

    When column i is fixed at q_i, the best change of the columns after it is
    -(w_i - q_i) / [F^-1]_ii * [F^-1]_i,: with F the rows and columns of H that are left, i among them.
    """
    rounding = rounding or Rounding()
    columns, w, hessian = w.shape[1], w.double().clone(), hessian.double()
    if rule.of_weights:
        hessian = 2 * w.T @ w + 0.01 * torch.eye(columns, dtype=torch.float64)
    order = list(range(columns))
    if act_order and rule.order != "never":
        order.sort(key=lambda j: float(hessian[j, j]), reverse=rule.order != "ascending")
    w, hessian = w[:, order], hessian[order][:, order]
    whole = torch.linalg.inv(hessian)
    size = group or columns
    if not rule.groups:
        size = columns
    given, scales = w.clone(), [1.0] * len(w)
    for i in range(columns):
        if i % size == 0:
            source = given if rule.scales_first else w
            scales = [scale_of(row, bits) for row in source[:, i : i + size].tolist()]
        made = [rounding(n, s, bits) for n, s in zip(w[:, i].tolist(), scales, strict=True)]
        rounded = torch.tensor(made, dtype=torch.float64)
        error = w[:, i] - rounded
        w[:, i] = rounded
        if rule.compensate:
            spread = shares(hessian, whole, i, rule)  # (I,)
            w += rule.sign * error[:, None] * spread
    if rule.restore:
        back = torch.empty_like(w)
        back[:, order] = w
        return back
    return w


def shares(hessian: Tensor, whole: Tensor, i: int, rule: Gptq) -> Tensor:
    """What each column loses per unit of column i's error; 0 for those that stay."""
    columns = len(hessian)
    out = torch.zeros(columns, dtype=torch.float64)
    if rule.of_the_hessian:
        factor = torch.linalg.cholesky(hessian).T
        out[i + 1 :] = factor[i, i + 1 :] / factor[i, i]
        return out
    if rule.fresh_inverse:
        row = torch.linalg.inv(hessian[i:, i:])[0]
        out[i + 1 :] = row[1:] / (row[0] if rule.divide else row[0].sqrt())
        return out
    row = whole[i] / whole[i, i]
    out[i + 1 :] = row[i + 1 :]
    if rule.done_too:
        out[:i] = row[:i]
    return out


def output_error(x: Tensor, w: Tensor, rounded: Tensor) -> float:
    """Mean squared difference of the outputs."""
    return float((x.double() @ (rounded.double() - w.double()).T).square().mean())


def output_loss(w: Tensor, rounded: Tensor, hessian: Tensor) -> float:
    """Half of (w - w') H (w - w')^T, summed over rows: what GPTQ makes small."""
    change = (w - rounded).double()
    return float(0.5 * torch.einsum("oi,ij,oj->", change, hessian.double(), change))
