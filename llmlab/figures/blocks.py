"""Pictures of a paged cache, from snapshots of your own BlockManager: who has which block, and how much memory
holds tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.patches import Rectangle

from llmlab.figures.style import CARD, INK, LINES, QUIET, Drawing, canvas, colour, styled

GREY = "#e4e4e4"
HATCHES = ("", "///", "...", "\\\\\\", "xxx")


@dataclass(frozen=True)
class Frame:
    """A moment: the call that led to it, what it returned, and the snapshot after it."""

    call: str
    value: Any
    tables: Mapping[str, Sequence[int]]
    lengths: Mapping[str, int]
    free: Sequence[int]


def follow(manager: Any, calls: Sequence[tuple]) -> list[Frame]:
    """Make these calls, ("append", "a", 7) for `manager.append("a", 7)`, and keep a frame after each one.

    A frame is what an animation shows next. What a call raises is raised.
    """
    frames = []
    for method, *args in calls:
        value = getattr(manager, method)(*args)
        shot = manager.snapshot()
        told = ", ".join(repr(arg) for arg in args)
        frames.append(Frame(f"{method}({told})", value, shot["tables"], shot["lengths"], shot["free"]))
    return frames


def owners(frame: Frame, block_size: int) -> dict[int, tuple[list[str], int]]:
    """Block -> the sequences that read it, and how many of its slots hold a token.

    >>> owners(Frame("", None, {"a": [0, 1], "b": [0, 2]}, {"a": 3, "b": 4}, [3]), 2)
    {0: (['a', 'b'], 2), 1: (['a'], 1), 2: (['b'], 2)}
    """
    found: dict[int, tuple[list[str], int]] = {}
    for name, table in frame.tables.items():
        for i, block in enumerate(table):
            readers, filled = found.get(block, ([], 0))
            found[block] = [*readers, name], max(filled, min(block_size, frame.lengths[name] - i * block_size))
    return found


@styled
def block_frames(frames: Sequence[Frame], num_blocks: int, block_size: int) -> Drawing:
    """One row for each frame, one box for each block: a filled slot has the colour of the sequence, several
    mean sharing.

    frames: from `follow`, at most about 12; num_blocks, block_size: of the pool.
    """
    if not frames:
        raise ValueError("no frames to draw: follow at least one call")
    names = list(dict.fromkeys(name for frame in frames for name in frame.tables))
    style = {name: (colour(i), HATCHES[i % len(HATCHES)]) for i, name in enumerate(names)}
    figure, axes = canvas(7.6, 0.9 + 0.52 * len(frames))
    for row, frame in enumerate(frames):
        readers = owners(frame, block_size)
        for block in range(num_blocks):
            axes.add_patch(Rectangle((block, row - 0.36), 0.92, 0.72, facecolor=CARD if block in readers else GREY,
                                     edgecolor=QUIET, linewidth=0.8))
            who, filled = readers.get(block, ([], 0))
            for i, name in enumerate(who):  # sharers lie one above the other
                height = 0.72 / len(who)
                fill, hatch = style[name]
                axes.add_patch(Rectangle((block, row - 0.36 + i * height), 0.92 * filled / block_size, height,
                                         facecolor=fill, edgecolor=CARD, hatch=hatch, linewidth=0.6))
            if not who:
                axes.text(block + 0.46, row, "free", ha="center", va="center", fontsize=7.5, color=INK)
    marks = [Rectangle((0, 0), 1, 1, facecolor=fill, edgecolor=CARD, hatch=hatch, label=name)
             for name, (fill, hatch) in style.items()]
    figure.legend(handles=marks, loc="outside upper center", ncols=max(1, len(marks)), fontsize=9)
    axes.set_xlim(-0.1, num_blocks)
    axes.set_ylim(len(frames) - 0.45, -0.55)
    axes.set_yticks(range(len(frames)), [_short(frame.call) for frame in frames], fontsize=8.5,
                    family="DejaVu Sans Mono")
    axes.set_xticks([block + 0.46 for block in range(num_blocks)], [str(block) for block in range(num_blocks)])
    axes.set_xlabel(f"block, of {block_size} slots")
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    last = frames[-1]
    shared = sorted(block for block, (who, _) in owners(last, block_size).items() if len(who) > 1)
    told = "; ".join(f"{name} has blocks {', '.join(map(str, table))}" for name, table in last.tables.items())
    figure.alt = (f"{num_blocks} blocks of {block_size} slots after each of {len(frames)} calls. "
                  f"After the last, {_short(last.call)}: "
                  f"{told or 'no sequence is left'}. {len(last.free)} blocks are free, "
                  f"{'none is shared' if not shared else 'shared: ' + ', '.join(map(str, shared))}.")
    return figure


def _short(call: str) -> str:
    return call if len(call) <= 30 else f"{call[:27]}..."


@styled
def memory_over_time(traces: Mapping[str, Sequence[tuple[int, int]]], capacity: int) -> Drawing:
    """What a server reserves and what holds tokens, step by step, in per cent of its memory.

    traces: name -> (slots that hold a token, slots reserved) for each step; capacity: slots of the whole
    memory. The reserved slots are a thin line, those with a token the thick line below it: the gap between
    them is waste.
    """
    if not traces or not all(traces.values()):
        raise ValueError("no steps to draw: give each trace at least one (held, reserved)")
    figure, axes = canvas(7.0, 3.6)
    said = []
    for i, (name, steps) in enumerate(traces.items()):
        held = [100 * h / capacity for h, _ in steps]
        reserved = [100 * r / capacity for _, r in steps]
        axes.plot(range(len(steps)), reserved, color=colour(i), linewidth=0.9, linestyle=LINES[i % len(LINES)])
        axes.plot(range(len(steps)), held, color=colour(i), linewidth=2.4, linestyle=LINES[i % len(LINES)], label=name)
        axes.fill_between(range(len(steps)), held, reserved, color=colour(i), alpha=0.15, linewidth=0)
        share = sum(h for h, _ in steps) / max(1, sum(r for _, r in steps))
        said.append(f"{name}: {share:.1%} of what was reserved held tokens, on average "
                    f"{sum(held) / len(held):.0f}% of the memory")
    axes.set_ylim(0, 103)
    axes.set_xlabel("step")
    axes.set_ylabel("% of the memory")
    figure.legend(loc="outside upper center", ncols=len(traces), fontsize=9, title_fontsize=9,
                  title="thick: holds a token, thin: reserved")
    figure.alt = f"Memory over {max(map(len, traces.values()))} steps. {'; '.join(said)}."
    return figure
