"""Checks of EarlyExit, on a stack of layers whose every output is known.

`Stack` keeps a cache for each layer; the oracle `whole` has none and goes through a text at once. Which
layers were run is read from the calls that the trusted side saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from llmlab.checks.compare import difference, show, value_of
from llmlab.checks.protocol import PASS, Case, Do, Event, New, Output, Remote, Task, Verdict
from llmlab.checks.speculative.worlds import lists

__all__ = ["TASKS", "cases", "judge"]

TASK = "speculative.EarlyExit"
FIRST, CUT = "the first layers and no other", "tokens taken back"
TASKS = (
    Task(
        TASK,
        "lab5",
        "a draft from the first layers of the model itself",
        {FIRST: 2, CUT: 1},
        "part4/drafts.html#sec-early-exit",
    ),
)
WIDTH, VOCAB = 6, 11
TOLERANCE = 1e-4


class Weights:
    """Random weights of a few layers, float64."""

    def __init__(self, seed: int, layers: int):
        generator = torch.Generator().manual_seed(seed)

        def matrix(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        self.layers = layers
        self.embedding, self.head = matrix(VOCAB, WIDTH), matrix(WIDTH, VOCAB)
        self.own, self.past = matrix(layers, WIDTH, WIDTH) / 2, matrix(layers, WIDTH, WIDTH) / 2

    def layer(self, index: int, past: Tensor, x: Tensor) -> Tensor:
        """x (T, D) behind the inputs of this layer's past (S, D): each sees the mean up to itself."""
        inputs = torch.cat([past, x])
        means = inputs.cumsum(0) / torch.arange(1, len(inputs) + 1)[:, None]
        return x + torch.tanh(x @ self.own[index] + means[len(past) :] @ self.past[index])

    def whole(self, text: Sequence[int], order: Sequence[int]) -> Tensor:
        """Logits (T, V) of a text through these layers: the oracle."""
        x = self.embedding[list(text)]
        for index in order:
            x = self.layer(index, x[:0], x)
        return x @ self.head


class Stack:
    """The trusted stack: what each layer was given stays in its cache."""

    def __init__(self, weights: Weights, batch: int):
        self.weights = weights
        self.texts: list[list[int]] = [[] for _ in range(batch)]
        self.kept = [
            [torch.zeros(0, WIDTH, dtype=torch.float64) for _ in range(batch)] for _ in range(weights.layers)
        ]
        self.fed = [0] * batch

    def embed(self, rows: object) -> Tensor:
        rows = lists(rows, "embed: rows", VOCAB)
        if len(rows) != len(self.texts) or not all(rows) or max(map(len, self.texts)) > 60:
            raise ValueError(f"embed wants {len(self.texts)} rows of at least one token")
        size = max(map(len, rows))
        for text, row in zip(self.texts, rows, strict=True):
            text += row
        self.fed = [len(row) for row in rows]
        return torch.stack(
            [
                torch.cat([torch.zeros(size - len(row), WIDTH), self.weights.embedding[row].float()])
                for row in rows
            ]
        )

    def layer(self, index: object, x: object) -> Tensor:
        if type(index) is not int or not 0 <= index < self.weights.layers:
            raise ValueError(f"there is no layer {str(index)[:20]}; there are 0 to {self.weights.layers - 1}")
        x, out = self.stream(x), []
        for b, (text, count) in enumerate(zip(self.texts, self.fed, strict=True)):
            past, new = self.kept[index][b], x[b, x.shape[1] - count :]
            if len(past) != len(text) - count:
                raise ValueError(
                    f"layer {index} holds {len(past)} tokens of sequence {b}, which has {len(text) - count} "
                    "before these: it was left out or run twice"
                )
            self.kept[index][b] = torch.cat([past, new])
            out.append(torch.cat([x[b, : x.shape[1] - count], self.weights.layer(index, past, new)]))
        return torch.stack(out).float()

    def logits(self, x: object) -> Tensor:
        return (self.stream(x) @ self.weights.head).float()

    def lengths(self) -> list[int]:
        return [len(text) for text in self.texts]

    def truncate(self, lengths: object) -> None:
        wanted = lists([lengths], "truncate: lengths")[0]
        if len(wanted) != len(self.texts) or any(
            n > len(text) for n, text in zip(wanted, self.texts, strict=True)
        ):
            raise ValueError(f"truncate: cannot cut sequences of {self.lengths()} tokens to {wanted[:8]}")
        for b, n in enumerate(wanted):
            del self.texts[b][n:]
            for layer in self.kept:
                layer[b] = layer[b][:n]

    def stream(self, x: object) -> Tensor:
        if (
            not isinstance(x, Tensor)
            or x.dim() != 3
            or x.shape[::2] != (len(self.texts), WIDTH)
            or x.shape[1] < max(self.fed)
        ):
            raise ValueError(
                f"x must have shape ({len(self.texts)}, {max(self.fed)}, {WIDTH}), got {show(x)[:80]}"
            )
        if not x.is_floating_point() or x.shape[1] > 200:
            raise ValueError(f"x must be floating-point numbers, got {x.dtype} {tuple(x.shape)}")
        return x.double()


@dataclass(frozen=True, eq=False)
class Story:
    """What happens: rows to feed, or lengths to cut to (`cut` true); `layers` of the stack are used."""

    weights: Weights
    layers: int
    events: tuple[tuple[bool, list], ...]

    def fed(self) -> list[list[list[int]]]:
        """The whole texts after each feed, and what was new in it."""
        texts: list[list[int]] = [[] for _ in self.events[0][1]]
        told = []
        for cut, given in self.events:
            texts = (
                [t[:n] for t, n in zip(texts, given, strict=True)]
                if cut
                else [t + row for t, row in zip(texts, given, strict=True)]
            )
            if not cut:
                told.append(texts)
        return told

    def right(self, order: Sequence[int]) -> list[list[Tensor]]:
        """Logits of the new tokens of each row, for every feed."""
        feeds = [given for cut, given in self.events if not cut]
        return [
            [
                self.weights.whole(text, order)[len(text) - len(row) :]
                for text, row in zip(texts, rows, strict=True)
            ]
            for texts, rows in zip(self.fed(), feeds, strict=True)
        ]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Logits of every feed, then which layers were run."""
    story: Story = case.expect
    got = []
    for step, output in zip(case.steps, outputs, strict=False):
        value, bad = value_of(output)
        if bad:
            return bad
        if isinstance(step, Do) and step.method == "feed":
            got.append(value)
    right = story.right(range(story.layers))
    for number, (want, value) in enumerate(zip(right, got, strict=True)):
        said = differs(want, value)
        if said:
            return named(story, number, value, said, want)
    lengths = value_of(outputs[-1])[0]
    held = [len(text) for text in story.fed()[-1]]
    if (lengths.tolist() if isinstance(lengths, Tensor) else lengths) != held:
        return Verdict(
            False, "lengths() should say how many tokens of each sequence are held.", str(held), show(lengths)
        )
    ran = [
        event.data["args"][0] if event.data["args"] else event.data["kwargs"].get("index")
        for event in events
        if event.data.get("method") == "layer"
    ]
    if set(ran) - set(range(story.layers)):
        return Verdict(
            False,
            f"The logits are right, but layers {sorted(set(ran))} were run where {story.layers} are enough: "
            "nothing is saved.",
            f"layers 0 to {story.layers - 1}",
            str(sorted(set(ran))),
            "runs-every-layer",
        )
    return PASS


def differs(want: list[Tensor], got: object) -> str:
    """How logits (B, T, V), rows at the right end, differ."""
    if not isinstance(got, Tensor) or got.dim() != 3:
        return f"expected a tensor ({len(want)}, {max(map(len, want))}, {VOCAB}), got {show(got)[:80]}"
    shape = (len(want), max(map(len, want)), VOCAB)
    if tuple(got.shape) != shape:
        return f"expected shape {shape}, got shape {tuple(got.shape)}"
    for b, row in enumerate(want):
        said = (
            difference(row, got[b, shape[1] - len(row) :].double(), TOLERANCE)
            if got.is_floating_point()
            else str(got.dtype)
        )
        if said:
            return f"row {b}: {said}"
    return ""


def named(story: Story, number: int, got: object, said: str, want: list[Tensor]) -> Verdict:
    """The verdict on wrong logits."""
    total, n = story.weights.layers, story.layers
    orders = [
        (
            "exits-a-layer-late",
            range(n + 1),
            f"The logits are those after {n + 1} layers: layers 0 to {n - 1} are {n}.",
        ),
        ("exits-a-layer-early", range(n - 1), f"The logits are those after {n - 1} layers."),
        ("runs-every-layer", range(total), f"All {total} layers were run. Stop after the first {n}."),
        (
            "last-layers-first",
            range(total - n, total),
            f"The last {n} layers were run, on the embedding. Take the first.",
        ),
    ]
    for name, order, words in orders:
        if max(order, default=0) < total and not differs(story.right(order)[number], got):
            return Verdict(False, f"{words} ({said})", show(want[0]), show(got), name)
    return Verdict(False, f"The logits of feed {number + 1} differ: {said}", show(want[0]), show(got))


def story_case(group: str, seed: int, total: int, layers: int, *events: tuple[bool, list]) -> Case:
    """A story on a stack of `total` layers with an exit after `layers`."""
    weights = Weights(seed, total)
    batch = len(events[0][1])
    stack = Remote(
        "stack",
        lambda: Stack(weights, batch),
        ("embed", "layer", "logits", "lengths", "truncate"),
        {"n_layers": total, "vocab_size": VOCAB},
        200,
    )
    steps = (
        New("exit", "EarlyExit", (stack, layers)),
        *(Do("exit", "truncate" if cut else "feed", (given,)) for cut, given in events),
        Do("exit", "lengths"),
    )
    told = ", ".join(f"{'truncate' if cut else 'feed'}({given})" for cut, given in events)
    return Case(
        TASK,
        group,
        steps,
        Story(weights, layers, events),
        f"EarlyExit(stack of {total} layers, {layers}): {told}",
    )


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(56_000 + seed)

    def new(*lengths: int) -> tuple[bool, list]:
        return False, [torch.randint(VOCAB, (n,), generator=generator).tolist() for n in lengths]

    return [
        story_case(FIRST, 560 + seed, 4, 2, new(4)),
        story_case(FIRST, 561 + seed, 5, 1, new(2, 4), new(1, 1)),
        story_case(CUT, 562 + seed, 3, 2, new(5), (True, [3]), new(2)),
        story_case(CUT, 563 + seed, 4, 3, new(3, 3), new(2, 2), (True, [4, 3]), new(1, 2)),
    ]
