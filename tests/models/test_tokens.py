"""The tokenizer: any text goes in and comes out, and the pieces are its bytes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmlab.models import load
from llmlab.models.tokens import byte_alphabet

LM = load("draft")


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("<|eos|> is text when it is typed")
@example("  two spaces\n\n\tand a tab  ")
@example("猫在睡觉。👩‍👩‍👧 e\u0301 \u200f\x00")
@example("12345 47+38=85")
def test_every_text_comes_back(text):
    ids = LM.encode(text)
    assert LM.decode(ids) == text
    assert b"".join(LM.pieces[i] for i in ids) == text.encode()
    assert not {LM.bos_id, LM.eos_id, LM.pad_id} & set(ids)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2047), max_size=20))
def test_any_ids_decode_to_the_joined_pieces(ids):
    assert LM.decode(ids) == b"".join(LM.pieces[i] for i in ids).decode(errors="replace")


def test_special_tokens_have_no_bytes_and_every_other_token_has():
    assert (
        [i for i, piece in enumerate(LM.pieces) if not piece]
        == [LM.pad_id, LM.bos_id, LM.eos_id]
        == [0, 1, 2]
    )
    assert len(LM.pieces) == LM.vocab_size == 2048
    assert len(set(LM.pieces)) == 2048 - 2, "no two tokens with the same bytes"


def test_digits_are_split():
    assert [LM.pieces[i] for i in LM.encode("47+385")] == [b"4", b"7", b"+", b"3", b"8", b"5"]
    assert not [p for p in LM.pieces if len(p) > 1 and any(c in b"0123456789" for c in p)]


def test_the_byte_alphabet_is_a_bijection():
    alphabet = byte_alphabet()
    assert sorted(alphabet.values()) == list(range(256))
    from tokenizers.pre_tokenizers import ByteLevel

    assert set(alphabet) == set(ByteLevel.alphabet())


def test_target_and_draft_share_one_tokenizer(target):
    assert target.tokenizer.to_str() == LM.tokenizer.to_str()


@pytest.mark.parametrize(
    "ids,mask,words",
    [
        (torch.tensor([1, 2]), None, r"shape \(2,\)"),
        (torch.zeros(1, 0, dtype=torch.int64), None, r"shape \(1, 0\)"),
        (torch.tensor([[1, 2]]), torch.ones(1, 3), r"\(1, 3\) and ids \(1, 2\)"),
    ],
)
def test_wrong_shapes_are_named(ids, mask, words):
    for call in (LM.next_logits, LM.logits):
        with pytest.raises(ValueError, match=words):
            call(ids, mask)


def test_an_empty_cache_batch_is_named():
    with pytest.raises(ValueError, match="0 sequences"):
        LM.new_cache(0)
