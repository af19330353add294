"""Random walks of a BlockManager: calls that are all allowed, with texts that often begin alike."""

from __future__ import annotations

import torch

from llmlab.checks.paged_cache.manager import WALK, line, tale
from llmlab.checks.protocol import Case


class Plan:
    """Draws calls. It knows the texts of the sequences and nothing of blocks, but that a text needs at most
    ceil(n / size).
    """

    def __init__(self, generator: torch.Generator, num_blocks: int, block_size: int):
        self.generator, self.blocks, self.size = generator, num_blocks, block_size
        self.texts: dict[str, list[int]] = {}
        self.seen: list[list[int]] = [[]]
        self.born, self.forked = 0, ""

    def draw(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self.generator))

    def room(self, *more: int) -> bool:
        """True if all texts fit without sharing a single block, these more ones included."""
        lengths = [len(text) for text in self.texts.values()] + list(more)
        return sum(-(-length // self.size) for length in lengths) <= self.blocks

    def name(self) -> str:
        self.born += 1
        return f"s{self.born}"

    def prompt(self) -> list[int]:
        """The beginning of an earlier text, and a few tokens more."""
        old = self.seen[self.draw(len(self.seen))]
        text = old[:self.draw(len(old) + 1)] if self.draw(3) == 0 else list(old)
        return text[:2 * self.size + 1] + [self.draw(3) for _ in range(1 + self.draw(self.size))]

    def next(self) -> tuple[str, tuple]:
        """A call that cannot run out of blocks."""
        while True:
            names, what = list(self.texts), self.draw(12)
            if self.forked in self.texts and self.room(1):  # the last block is shared: somebody writes to it
                who, self.forked = self.forked, ""
                self.texts[who].append(token := self.draw(3))
                return "append", (who, token)
            if what < 3 or not names:
                text, name = self.prompt(), self.name()
                if self.room(len(text)):
                    self.texts[name] = text
                    self.seen = [*self.seen[-7:], list(text)]
                    return "add", (name, list(text))
                if not names:
                    continue
            who = names[self.draw(len(names))]
            if what < 7:
                if self.room(1):
                    token = self.draw(3)
                    self.texts[who].append(token)
                    return "append", (who, token)
            elif what < 10 and self.room(len(self.texts[who]) + 1):
                name = self.name()
                self.texts[name] = list(self.texts[who])
                self.forked = (who, name)[self.draw(2)]
                return "fork", (who, name)
            self.seen = [*self.seen[-7:], self.texts.pop(who)]
            return "free", (who,)


def alike(calls: list[tuple[str, tuple]], size: int) -> int:
    """How many added texts begin with the first block of an earlier one, and go on."""
    texts = [args[1] for method, args in calls if method == "add"]
    return sum(len(text) > size and any(text[:size] == old[:size] for old in texts[:i]) for i,
               text in enumerate(texts))


def walk(generator: torch.Generator, num_blocks: int, block_size: int, caching: bool, steps: int) -> Case:
    """One walk; at its end every sequence is freed, so that a lost block is noticed."""
    calls: list[tuple[str, tuple]] = []
    while alike(calls, block_size) < 5 or sum(method == "fork" for method, _ in calls) < 3:
        plan = Plan(generator, num_blocks, block_size)
        calls = [plan.next() for _ in range(steps)] + [("free", (name,)) for name in plan.texts]
    want = {"append": {}, "add": {} if caching else {"want": 0}}
    told = [line(method, *args, **want.get(method, {})) for method, args in calls]
    return tale(WALK, num_blocks, block_size, caching, told, f"{len(told)} random calls")


def walks(seed: int) -> list[Case]:
    """Without and with a prefix cache, small and larger blocks."""
    generator = torch.Generator().manual_seed(42_000 + seed)
    return [walk(generator, 10, 3, False, 30), walk(generator, 9, 2, True, 50), walk(generator, 12, 3, True, 50)]
