"""State machines drive the solution of paged_cache; after every step the world of texts and the invariants are asked.

The tensors are real in one of them: K and V that depend on the whole text go through slot_mapping and the copies, and
what paged_attention reads is compared with torch's attention over tensors that were never cut into blocks.
"""

import types

import pytest
import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from llmlab.checks.paged_cache.oracle import World, check_integrity
from llmlab.grading import variants
from tests.checks.paged_cache_kit import solved

RUNS = settings(max_examples=100, stateful_step_count=40, deadline=None, derandomize=True)
HEADS, KV, DIM = 4, 2, 6


class Allocator(RuleBasedStateMachine):
    """Beside a list of what is free, in order, and a dict of users."""

    @initialize(blocks=st.integers(1, 6))
    def begin(self, blocks):
        self.real = solved().BlockAllocator(blocks)
        self.queue, self.users = list(range(blocks)), dict.fromkeys(range(blocks), 0)

    @rule()
    def allocate(self):
        try:
            block = self.real.allocate()
        except solved().OutOfBlocks:
            assert not self.queue
            return
        assert block == self.queue.pop(0)
        self.users[block] += 1

    @rule(block=st.integers(-2, 7))
    def share(self, block):
        try:
            self.real.share(block)
        except ValueError as error:
            assert block not in self.users and str(block) in str(error)
            return
        if not self.users[block]:
            self.queue.remove(block)
        self.users[block] += 1

    @rule(block=st.integers(-2, 7))
    def free(self, block):
        try:
            self.real.free(block)
        except ValueError as error:
            assert not self.users.get(block) and str(block) in str(error)
            return
        self.users[block] -= 1
        if not self.users[block]:
            self.queue.append(block)

    @invariant()
    def check_integrity(self):
        if hasattr(self, "real"):
            assert self.real.free_blocks() == self.queue and self.real.num_free() == len(self.queue)
            assert self.real.ref_counts() == list(self.users.values())
            assert [self.real.ref_count(block) for block in self.users] == list(self.users.values())


def numbers(text: list[int], heads: int, what: int) -> torch.Tensor:
    """K, V or q of the last token of a text: it depends on all of it."""
    seed = 7 * what
    for token in text:
        seed = (seed * 1_000_003 + token + 1) % 2**61
    return torch.randn(heads, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Manager(RuleBasedStateMachine):
    """Calls that fit and calls that do not. The oracle is told after each one."""

    @initialize(blocks=st.integers(2, 7), size=st.integers(1, 3), caching=st.booleans())
    def begin(self, blocks, size, caching):
        module = solved()
        self.real = module.BlockManager(module.BlockAllocator(blocks), size, caching)
        self.world, self.size, self.born, self.twins = World(blocks, size, caching), size, 0, False
        self.seen = []
        self.pools = [torch.full((blocks, size, KV, DIM), 50.0, dtype=torch.float64) for _ in range(2)]

    def call(self, method, *args):
        """The call, followed by the oracle; a refusal for want of blocks must leave everything as it was."""
        before, there = self.real.snapshot(), self.there(args[-1]) if method == "add" else 0
        try:
            value = getattr(self.real, method)(*args)
        except solved().OutOfBlocks:
            assert self.real.snapshot() == before
            assert method in ("add", "append") and self.short(method, args[-1], before)
            return
        assert self.world.step(method, args, value, self.real.snapshot()) is None
        if method == "add":
            assert value <= there and (value == there or self.twins)
        if method in ("add", "append"):
            self.write(method, args[0], value)
            full = [entries for entries in self.world.memory if None not in entries]
            self.twins |= any(full.count(entries) > 1 for entries in full)

    def there(self, text) -> int:
        """How many tokens of a new text lie in memory, block by block, with one left to compute.

        Of two blocks with the same content (`twins`) only one can be found; when it is evicted, the other is not.
        """
        found = 0
        while self.world.caching and found + self.size < len(text):
            if [tuple(text[:found + i + 1]) for i in range(self.size)] not in self.world.memory:
                break
            found += self.size
        return found

    def short(self, method, what, before) -> bool:
        """True if there is too little room even if no block can be found by its text, or none is free at all."""
        need = 1 if method == "append" else -(-len(what) // self.size)
        return need > len(before["free"])

    def write(self, method, name, value):
        text, table = self.world.texts[name], self.real.table(name)
        first = value if method == "add" else len(text) - 1
        if method == "append" and value:
            for pool in self.pools:
                pool[value[1]] = pool[value[0]]
        slots = solved().slot_mapping(table, first, len(text) - first, self.size)
        for what, pool in enumerate(self.pools):
            pool.view(-1, KV, DIM)[slots] = torch.stack([numbers(text[:i + 1], KV, what) for i in range(first,
                                                                                                        len(text))])

    @rule(text=st.lists(st.integers(0, 1), min_size=1, max_size=9))
    def add(self, text):
        self.born += 1
        self.seen.append(text)
        self.call("add", f"s{self.born}", text)

    @precondition(lambda self: self.seen)
    @rule(data=st.data(), more=st.lists(st.integers(0, 1), min_size=1, max_size=3))
    def add_another(self, data, more):
        """A text that begins as an earlier one did, perhaps of a sequence that is gone."""
        self.add(data.draw(st.sampled_from(self.seen[-4:]))[:2 * self.size] + more)

    @precondition(lambda self: self.world.texts)
    @rule(data=st.data(), token=st.integers(0, 1))
    def append(self, data, token):
        self.call("append", data.draw(st.sampled_from(sorted(self.world.texts))), token)

    @precondition(lambda self: self.world.texts)
    @rule(data=st.data())
    def fork(self, data):
        self.born += 1
        self.call("fork", data.draw(st.sampled_from(sorted(self.world.texts))), f"s{self.born}")

    @precondition(lambda self: self.world.texts)
    @rule(data=st.data())
    def free(self, data):
        self.call("free", data.draw(st.sampled_from(sorted(self.world.texts))))

    @invariant()
    def integrity(self):
        if hasattr(self, "real"):
            lengths = {name: len(text) for name, text in self.world.texts.items()}
            assert check_integrity(self.real.snapshot(), lengths, self.size) is None

    def teardown(self):
        """All sequences in one batch: paged against never paged. Then everything is given back."""
        if not hasattr(self, "real"):
            return
        if self.world.texts:
            self.compare()
        for name in list(self.world.texts):
            self.call("free", name)
        assert len(self.real.snapshot()["free"]) == self.world.num_blocks

    def compare(self):
        texts = list(self.world.texts.values())
        q = torch.stack([numbers(text, HEADS, 2) for text in texts])
        tables = torch.full((len(texts), max(-(-len(text) // self.size) for text in texts)), -1)
        for row, name in enumerate(self.world.texts):
            table = self.real.table(name)
            tables[row, :len(table)] = torch.tensor(table)
        paged = solved().paged_attention(q, *self.pools, tables, torch.tensor([len(text) for text in texts]))
        for row, text in enumerate(texts):
            k, v = (torch.stack([numbers(text[:i + 1], KV, what) for i in range(len(text))], 1) for what in (0, 1))
            whole = torch.nn.functional.scaled_dot_product_attention(q[row][:, None], k, v, enable_gqa=True)
            assert torch.allclose(paged[row], whole[:, 0], atol=1e-12)


TestAllocator = Allocator.TestCase
TestManager = Manager.TestCase
TestAllocator.settings = TestManager.settings = RUNS


@pytest.mark.parametrize(("machine", "mutant"), [
    (Allocator, "allocator_stack"), (Allocator, "allocator_revived_stays_free"), (Manager,
                                                                                  "manager_no_copy_on_write"),
    (Manager, "manager_takes_before_sharing"), (Manager, "manager_counts_free_hits_as_room"), (Manager,
                                                                                               "key_without_parent"),
    (Manager, "manager_stale_key"), (Manager, "manager_looks_up_one_block"), (Manager,
                                                                              "attention_reads_whole_block"),
])
def test_a_machine_stops_at_a_mutant(machine, mutant, monkeypatch):
    """The negative control: what the machines find nothing wrong with was looked at."""
    source = next(one.source for one in variants.mutants("paged_cache") if one.name == mutant)
    module = types.ModuleType("mutant")
    exec(compile(source, mutant, "exec"), module.__dict__)
    monkeypatch.setitem(globals(), "solved", lambda: module)
    with pytest.raises(Exception) as stopped:
        run_state_machine_as_test(machine, settings=settings(RUNS, max_examples=800, phases=[Phase.generate],
                                                             report_multiple_bugs=False))
    assert isinstance(stopped.value, AssertionError | ValueError | module.OutOfBlocks)
