"""results/paged.json, the counts: computed again by closed forms and by other programs. Times are not
asserted.
"""

from __future__ import annotations

import json
import random
from fractions import Fraction
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VALUES = json.loads((ROOT / "results" / "paged.json").read_text(encoding="utf-8"))["values"]
KINDS = ("max", "pow2", "exact", "paged")


@pytest.mark.parametrize("block", [1, 8, 16, 32, 64, 128, 256])
def test_waste_in_last_blocks_in_closed_form(block):
    """Lengths 1 .. n, n a multiple of the block: (block - 1) / 2 slots wasted on average, and (n + 1) / 2
    filled.
    """
    waste, filled = Fraction(block - 1, 2), Fraction(VALUES["longest"] + 1, 2)
    assert VALUES[f"wasted_{block}"] == pytest.approx(float(waste / (waste + filled)), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shares_of_a_run_add_up(kind):
    parts = [VALUES[f"{part}_{kind}"] for part in ("held", "future", "internal", "external")]
    assert sum(parts) == pytest.approx(1) and min(parts) > -1e-12
    assert VALUES[f"filled_{kind}"] == pytest.approx(parts[0] / (1 - parts[3]))


def test_one_piece_of_the_longest_length_by_the_lengths_alone():
    """Slots never run short of anything but pieces, so what is held is the mean length of a running sequence,
    over its time.
    """
    assert VALUES["running_max"] == VALUES["slots"] / VALUES["longest"]
    assert VALUES["external_max"] == 0
    assert 0.2 < VALUES["filled_max"] < 0.4


def test_paging_wastes_less_than_a_block_a_sequence_and_refuses_nobody_who_fits():
    assert VALUES["worst_waste"] == VALUES["block"] - 1
    assert VALUES["internal_paged"] * VALUES["slots"] / VALUES["running_paged"] < VALUES["block"]
    assert VALUES["future_paged"] == 0 and VALUES["refused_with_room_paged"] == 0 < VALUES["refused_paged"]
    assert VALUES["refused_with_room_pow2"] > 0 and VALUES["refused_with_room_exact"] > 0
    assert VALUES["more_finished"] == pytest.approx(VALUES["finished_paged"] / VALUES["finished_max"])


def test_first_fit_against_a_bitmap():
    """The piece found is the first run of free slots, looked for slot by slot."""
    from benchmarks import paged_memory

    draw = random.Random(3)
    for _ in range(60):
        taken, at = [], 0
        while at < paged_memory.SLOTS:
            start = at + draw.choice([0, draw.randrange(1, 9_000)])
            end = min(paged_memory.SLOTS, start + draw.randrange(1, 9_000))
            if start < end:
                taken.append((start, end))
            at = max(end, start + 1)
        line = bytearray(paged_memory.SLOTS)
        for start, end in taken:
            line[start:end] = b"\1" * (end - start)
        size = draw.randrange(1, 9_000)
        found = line.find(bytes(size))
        assert paged_memory.first_fit(taken, size) == (None if found < 0 else found)


def test_samples_and_chats_by_arithmetic():
    n, prompt, answer, block = (VALUES[key] for key in ("samples", "samples_prompt", "samples_answer", "block"))
    assert VALUES["samples_tokens"] == n * (prompt + answer)
    own = prompt + answer - prompt // block * block  # a sample's tokens behind the full blocks of the prompt
    assert VALUES["samples_filled"] == prompt // block * block + n * own
    chats, common, each = VALUES["chats"], VALUES["chat_common"], VALUES["chat_own"]
    assert VALUES["chat_computed"] == chats * (common + each)
    assert VALUES["chat_computed_cached"] == common + each + (chats - 1) * (common + each - common // block * block)
