"""What the checks of quantization share: tensors judged part by part, groups as places, numbers far from ties.

The oracles are plain Python: a grid is listed, and the nearest value is looked for. Numbers are drawn so that no
honest way of computing (other order, float64, a product with 1 / scale) can round to another code. Exact ties are
put in by hand, with powers of two, where every way of computing meets them exactly.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.compare import mutation, raises, show, value_of
from llmlab.checks.judging import Refuse
from llmlab.checks.protocol import Case, Event, Output, Verdict

By = str | int
Made = Sequence[Tensor]
Mistake = tuple[str, Callable[[], Made], str]
"""Misconception, the parts it leads to, what was done in words."""
RELATIVE = {torch.float64: 1e-6, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 2e-2}
"""Largest relative error of a float by its dtype. Scales are small: an absolute tolerance would pass wrong ones."""


@dataclass(frozen=True, eq=False)
class Parts:
    """The tensors that the last step must return, by name. Codes must have the very dtype: it is what is stored.

    whole: if not 0, floats may be off by this share of the largest one; otherwise each by that of its own dtype.
    """

    right: Mapping[str, Tensor]
    wrong: Sequence[Mistake] = ()
    whole: float = 0.0


def differs(want: Tensor, got: object, whole: float = 0.0) -> str:
    """Empty if `got` has this shape and these values; else one sentence. The dtype is looked at by `narrow`."""
    if not isinstance(got, Tensor):
        return f"expected a tensor, got {type(got).__name__}"
    if got.shape != want.shape:
        return f"expected shape {tuple(want.shape)}, got shape {tuple(got.shape)}"
    if got.is_complex():
        return f"expected {want.dtype}, got {got.dtype}"
    a, b = want.double(), got.double()
    if want.is_floating_point():
        size = a.abs().nan_to_num(0, 0, 0)
        tol = max(RELATIVE[t.dtype] if t.is_floating_point() else 0.0 for t in (want, got))
        allowed = max(whole, tol) * size.max() if whole and size.numel() else tol * size
        same = (a == b) | ((a - b).abs() <= allowed) | (a.isnan() & b.isnan())
    else:
        same = a == b
    if bool(same.all()):
        return ""
    at = tuple(int(i) for i in (~same).nonzero()[0])
    where = f"at index {at[0] if len(at) == 1 else at}" if at else "in the only number"
    return f"first difference {where}: expected {float(a[at]):.6g}, got {float(b[at]):.6g}"


def narrow(name: str, want: Tensor, got: Tensor) -> Verdict | None:
    """The verdict for right values in another kind of number, None if the kind is right."""
    free = (torch.float32, torch.float64)
    if want.dtype == got.dtype or want.dtype in free and got.is_floating_point():
        return None
    words = f"The values of {name} are right, but in {got.dtype}; they should be {want.dtype}."
    if not want.is_floating_point():
        words += f" A number takes {got.element_size()} bytes that way, not {want.element_size()}: nothing is saved."
    return Verdict(False, words, show(want), show(got),
                   "wrong-dtype" if want.is_floating_point() else "codes-in-a-wide-dtype")


def compare(expect: Parts, value: object) -> Verdict | None:
    """None if `value` is right."""
    names = list(expect.right)
    got = [value] if len(names) == 1 and isinstance(value, Tensor) else value
    if not isinstance(got, list | tuple) or len(got) != len(names):
        what = "one tensor" if len(names) == 1 else f"a tuple of {len(names)}: {', '.join(names)}"
        return Verdict(False, f"The result should be {what}; got {type(value).__name__}.", what, show(value))
    for name, one in zip(names, got, strict=True):
        said = differs(expect.right[name], one, expect.whole)
        if said:
            shown = (f"{name}: {show(expect.right[name])}", f"{name}: {show(one)}")
            for wrong, rule, words in expect.wrong:
                made = rule()
                if len(made) == len(got) and not any(map(differs, made, got, [expect.whole] * len(got))):
                    return Verdict(False, f"{words} ({name}: {said})", *shown, wrong)
            return Verdict(False, f"{name}: {said}", *shown)
    return next((bad for name, one in zip(names, got, strict=True) if (bad := narrow(name, expect.right[name], one))),
                None)


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Judge the last output by `case.expect`, `Parts` or a `Refuse`."""
    last = outputs[-1]
    if isinstance(case.expect, Refuse):
        return raises(last, case.expect.kind, case.expect.names)
    value, bad = value_of(last)
    return bad or compare(case.expect, value) or mutation(last)


def members(shape: Sequence[int], by: By) -> list[list[tuple[int, int]]]:
    """The places (row, column) of each group, in the order of the scales.

    >>> members((2, 2), 1), members((2, 1), "tensor")
    ([[(0, 0)], [(0, 1)], [(1, 0)], [(1, 1)]], [[(0, 0), (1, 0)]])
    """
    rows, columns = shape
    if by == "tensor":
        return [[(r, c) for r in range(rows) for c in range(columns)]]
    size = columns if by == "channel" else int(by)
    return [[(r, c) for c in range(start, start + size)] for r in range(rows) for start in range(0, columns, size)]


def nearest(value: float, codes: Iterable[int], number: Callable[[int], float]) -> int:
    """The code whose number is nearest, the even one of two equally near."""
    return min(codes, key=lambda code: (abs(value - number(code)), code % 2))


def single(value: float) -> float:
    """The nearest float32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def half(value: float) -> float:
    """The nearest float16 of the nearest float32."""
    return struct.unpack("<e", struct.pack("<e", single(value)))[0]


def rows_of(x: Tensor, by: By) -> Tensor:
    """x with a group in each row, for the wrong rules."""
    size = x.numel() if by == "tensor" else x.shape[-1] if by == "channel" else int(by)
    return x.float().reshape(-1, size)


def drawn(generator: torch.Generator, rows: int, columns: int, by: By = "channel") -> Tensor:
    """Normal numbers whose size differs from group to group and from row to row, as weights' does."""
    groups = rows_of(torch.randn(rows, columns, generator=generator) * 0.05, by)
    factors = 0.3 + 1.7 * torch.rand(groups.shape[0], 1, generator=generator)
    rough = (groups * factors).reshape(rows, columns)
    return rough * (0.5 + torch.rand(rows, 1, generator=generator))


def clear(x: Tensor, by: By, scales: Tensor, ends: bool = False) -> Tensor:
    """x with numbers near the middle between two steps of their grid moved away from it.

    The largest |x| of a group stays, or, with `ends`, its smallest and largest number: they make the grid.
    """
    rows = rows_of(x, by).double()
    place = rows / scales.double()
    part = place - place.floor()
    moved = place.floor() + torch.where(part < 0.5, part.clamp(max=0.42), part.clamp(min=0.58))
    keep = rows.abs() == rows.abs().amax(1, keepdim=True)
    if ends:
        keep = (rows == rows.amax(1, keepdim=True)) | (rows == rows.amin(1, keepdim=True))
    return torch.where(keep, rows, moved * scales.double()).float().reshape(x.shape)
