"""The oracles of kv_cache's checks against Hugging Face and torch, and what the rules can tell apart."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from llmlab.checks.kv_cache import attend, engine, loop, passes, places, rows, stores, windows
from llmlab.checks.kv_cache.plain import Store
from llmlab.checks.kv_cache.tiny import THETA, Parts, Tiny, TrustedCache

SHAPES = {"multi-head": (3, 3), "grouped": (4, 2), "multi-query": (3, 1)}


def as_hf(tiny: Tiny, window: int | None = None):
    """A tiny model's weights in transformers' Llama, or in its Mistral, which has a sliding window."""
    shape = {
        "vocab_size": tiny.vocab,
        "hidden_size": tiny.width,
        "intermediate_size": 24,
        "num_hidden_layers": tiny.layers,
        "num_attention_heads": tiny.heads,
        "num_key_value_heads": tiny.kv_heads,
        "head_dim": tiny.head_dim,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
        "tie_word_embeddings": False,
        "attn_implementation": "sdpa",
    }
    model = (
        LlamaForCausalLM(LlamaConfig(**shape))
        if window is None
        else MistralForCausalLM(MistralConfig(**shape, sliding_window=window))
    )
    state = {
        "model.embed_tokens.weight": tiny.embedding,
        "lm_head.weight": tiny.head.T,
        "model.norm.weight": torch.ones(tiny.width),
    }
    for layer, block in enumerate(tiny.blocks):
        names = {
            "q": "self_attn.q_proj",
            "k": "self_attn.k_proj",
            "v": "self_attn.v_proj",
            "o": "self_attn.o_proj",
            "gate": "mlp.gate_proj",
            "up": "mlp.up_proj",
            "down": "mlp.down_proj",
        }
        state |= {f"model.layers.{layer}.{name}.weight": block[short].T for short, name in names.items()}
        state |= {
            f"model.layers.{layer}.{norm}.weight": torch.ones(tiny.width)
            for norm in ("input_layernorm", "post_attention_layernorm")
        }
    model = model.double().eval()
    model.load_state_dict(state)
    return model


@pytest.mark.parametrize("heads", SHAPES.values(), ids=SHAPES)
def test_the_whole_pass_is_hugging_faces(heads):
    tiny = Tiny(3, *heads)
    ids = torch.randint(tiny.vocab, (11,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = as_hf(tiny)(ids[None]).logits[0]
    assert (
        tiny.logits(tiny.whole(ids.tolist())) - theirs
    ).abs().max() < 1e-5  # HF makes the angles in float32


@pytest.mark.parametrize("window", [1, 2, 4, 40])
def test_the_windowed_pass_is_that_of_mistral(window):
    tiny = Tiny(5)
    ids = torch.randint(tiny.vocab, (12,), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        theirs = as_hf(tiny, window)(ids[None]).logits[0]
    assert (tiny.logits(tiny.whole(ids.tolist(), window)) - theirs).abs().max() < 1e-5


@torch.no_grad()
@pytest.mark.parametrize("sizes", [(9,), (5, 1, 1, 2), (1,) * 9, (3, 6)])
def test_passes_and_cache_are_those_of_dynamic_cache(sizes):
    """Logits, and the keys and values held after every pass, with left padding."""
    tiny, theirs = Tiny(7), DynamicCache()
    hf, cache, parts = as_hf(tiny), TrustedCache(tiny.layers), Parts(tiny.narrow)
    ids, real = passes.texts(torch.Generator().manual_seed(3), tiny, (9, 6, 4))
    run = engine.splits(ids, real, sizes)
    for one, x in zip(run, engine.right(tiny, run), strict=True):
        where = torch.tensor(
            [[places.place(row, c) for c in range(one.past, one.past + one.new)] for row in one.real.tolist()]
        )
        out = hf(one.ids, attention_mask=one.real, position_ids=where, past_key_values=theirs, use_cache=True)
        shown = ~x.isnan()[..., 0]
        assert (tiny.logits(x)[shown] - out.logits[shown]).abs().max() < 1e-5
        mask = torch.tensor(
            [
                [[places.sees(row, q, c, None) for c in range(len(row))] for q in range(one.past, len(row))]
                for row in one.real.tolist()
            ]
        )
        stream = parts.embed(one.ids)
        for layer in range(tiny.layers):
            q, k, v = parts.qkv(layer, stream, where)
            keys, values = cache.append(layer, k, v)
            kept = one.real.bool()[:, None, :, None]
            for ours, held in ((keys, theirs.layers[layer].keys), (values, theirs.layers[layer].values)):
                assert ours.shape == held.shape
                assert ((ours - held) * kept).abs().max() < 1e-5
            stream = parts.finish(layer, stream, attend.by_hand(q, keys, values, mask))


@torch.no_grad()
def test_a_rollback_is_crop():
    """Drafted tokens taken back with DynamicCache.crop, others in their place."""
    tiny, theirs = Tiny(9), DynamicCache()
    hf = as_hf(tiny)
    case = passes.rollback_case(torch.Generator().manual_seed(4), tiny, (9,), False)
    for one, x in zip(case.expect.passes, case.expect.expect, strict=True):
        if theirs.get_seq_length() > one.past:
            theirs.crop(one.past - theirs.get_seq_length())
        assert theirs.get_seq_length() == one.past
        out = hf(one.ids, past_key_values=theirs, use_cache=True).logits
        assert (tiny.logits(x) - out).abs().max() < 1e-5


@torch.no_grad()
def test_the_greedy_tokens_are_those_of_generate():
    tiny = Tiny(11)
    ids, real = passes.texts(torch.Generator().manual_seed(5), tiny, (6, 3))
    theirs = as_hf(tiny).generate(
        ids, attention_mask=real, max_new_tokens=7, do_sample=False, pad_token_id=0, eos_token_id=None
    )
    ours, lead = engine.greedy(tiny, ids, real, 7)
    assert torch.equal(ours, theirs[:, 6:]) and lead > 1e-4


def test_without_a_wrong_rule_the_simulation_is_the_oracle():
    """Two ways that share no code above the layer: padded with a cache, and each text alone."""
    tiny = Tiny(13)
    ids, real = passes.texts(torch.Generator().manual_seed(6), tiny, (8, 5, 2))
    for window in (None, 3):
        run = engine.splits(ids, real, (4, 1, 3))
        for told, x in zip(engine.simulate(tiny, run, window), engine.right(tiny, run, window), strict=True):
            assert not passes.compare(x, told)
    assert torch.equal(
        engine.greedy(tiny, ids, real, 4)[0], engine.greedy(tiny, ids, real, 4, engine.Rules())[0]
    )


@pytest.mark.parametrize("heads", SHAPES.values(), ids=SHAPES)
def test_attention_is_torchs(heads):
    generator = torch.Generator().manual_seed(7)
    q, keys, values, mask = attend.drawn(generator, 2, *heads, 3, 6, 4, (6, 4))
    theirs = F.scaled_dot_product_attention(
        *(t.double() for t in (q, keys, values)), mask[:, None], enable_gqa=True
    )
    assert (attend.by_hand(q.double(), keys, values, mask) - theirs).abs().max() < 1e-12


def test_masks_and_positions_by_hand():
    real = [0, 0, 1, 1, 1]
    assert [places.place(real, c) for c in range(5)] == [0, 0, 0, 1, 2]
    assert [places.sees(real, 4, c, None) for c in range(5)] == [False, False, True, True, True]
    assert [places.sees(real, 4, c, 2) for c in range(5)] == [False, False, False, True, True]
    assert [places.sees(real, 1, c, None) for c in range(5)] == [False, True, False, False, False]


def test_torchs_is_causal_starts_in_the_upper_left_corner():
    """The mistake mask-from-query-length is one that a library makes for you."""
    q, keys, values, mask = attend.drawn(torch.Generator().manual_seed(8), 1, 2, 2, 2, 6, 4)
    top_left = torch.tril(torch.ones(2, 6, dtype=torch.bool))[None]
    theirs = F.scaled_dot_product_attention(q, keys, values, is_causal=True)
    assert torch.allclose(theirs, attend.by_hand(q, keys, values, top_left), atol=1e-6)
    assert not torch.allclose(theirs, attend.by_hand(q, keys, values, mask), atol=0.05)


def test_the_plain_store_is_dynamic_cache():
    generator, theirs, store = torch.Generator().manual_seed(9), DynamicCache(), Store(2, 3)
    for tokens, left in ((3, None), (1, 2), (4, None), (2, 5)):
        for layer in range(2):
            keys, values = (torch.randn(2, 2, tokens, 3, generator=generator) for _ in range(2))
            held = theirs.update(keys, values, layer)
            assert all(
                torch.equal(a, b) for a, b in zip(store.append(layer, keys, values), held, strict=True)
            )
        if left is not None:
            theirs.crop(left - theirs.get_seq_length())
            store.truncate(left)
        assert store.length() == theirs.get_seq_length()


def test_the_window_keeps_what_hugging_faces_sliding_layer_keeps():
    from transformers.cache_utils import DynamicSlidingWindowLayer

    generator, theirs = torch.Generator().manual_seed(10), DynamicSlidingWindowLayer(sliding_window=4)
    script = [
        ("append", (0, *(torch.randn(1, 2, new, 3, generator=generator) for _ in range(2))))
        for new in (6, 1, 1, 3, 1)
    ]
    for (_, args), pair in zip(script, windows.told(script, 1, 4, windows.Rule()), strict=True):
        held = theirs.update(*args[1:])
        assert all(torch.equal(a, b) for a, b in zip(pair, held, strict=True))


def test_growing_by_one_copies_quadratically_and_doubling_does_not():
    """What `grows-by-little` is about, counted."""

    def copied(next_room):
        room, total = 4, 0
        for held in range(1, 1001):
            if held > room:
                total, room = total + held - 1, next_room(held, room)
        return total

    assert copied(lambda held, room: 2 * room) < 2 * 1000
    assert copied(lambda held, room: held) == sum(range(4, 1000))


def test_old_rows_do_not_change_in_a_causal_model_and_do_in_another():
    """Row 0-20 and 0-21 of the lecture's claims, by the oracle: the input of every layer's k and v."""
    tiny = Tiny(15)
    short, longer = tiny.whole([3, 1, 4, 1, 5]), tiny.whole([3, 1, 4, 1, 5, 9])
    assert rows.number_by_number(short[None], longer[None], 1e-9) == [5]
    seen = engine.Rules(sees=lambda r, q, c, w, n: True)
    both = [
        engine.simulate(
            tiny, engine.splits(torch.tensor([ids]), torch.ones(1, len(ids)).long(), (len(ids),)), rules=seen
        )[0]
        for ids in ([3, 1, 4, 1, 5], [3, 1, 4, 1, 5, 9])
    ]
    assert rows.number_by_number(*both, 1e-3) == [0, 1, 2, 3, 4, 5]


def telling(module) -> tuple[set[str], set[str]]:
    """Names of the wrong values in the cases of a file, and of those that differ from the right one."""
    named, seen = set(), set()
    for case in module.cases(0):
        for name, (value, _) in getattr(case.expect, "wrong", {}).items():
            named.add(name)
            value = value() if callable(value) else value
            if value.shape != case.expect.value.shape or not torch.allclose(
                value.double(), case.expect.value.double(), atol=0.05, equal_nan=True
            ):
                seen.add(name)
    return named, seen


@pytest.mark.parametrize("module", [places, attend], ids=["places", "attend"])
def test_every_wrong_rule_is_told_apart_somewhere(module):
    named, seen = telling(module)
    assert named and named == seen


def test_every_wrong_rule_of_a_pass_is_told_apart_somewhere():
    """But for one that concerns the rows of padding alone: nobody reads those."""
    seen = set()
    for case in passes.cases(0):
        run = case.expect
        for name, (rules, _) in engine.rules_for(True, True).items() if isinstance(run, passes.Run) else ():
            told = run.returned(engine.simulate(run.tiny, run.passes, run.window, rules))
            if any(
                passes.compare(want, torch.where(want.isnan(), want, got))
                for want, got in zip(run.expect, told, strict=True)
            ):
                seen.add(name)
    assert seen == set(engine.rules_for(True, True)) - {"mask-padding-sees-all"}


def test_every_bug_of_a_cache_is_told_apart_somewhere():
    seen = set()
    for case in stores.cases(0):
        if isinstance(case.expect, stores.Told):
            right = case.expect.outcome()
            seen |= {
                bug
                for bug in stores.BUGS
                if len(case.expect.outcome(bug)) < len(right)
                or any(map(stores.differs, right, case.expect.outcome(bug)))
            }
    assert seen == set(stores.BUGS) - {"view-shows-empty-room"}, "that one is recognised by its look"


def test_every_wrong_window_is_told_apart_somewhere():
    seen = {
        name
        for case in windows.cases(0)
        if isinstance(case.expect, tuple)
        for name, (rule, _) in windows.WRONG.items()
        if any(
            map(stores.differs, windows.told(*case.expect, windows.Rule()), windows.told(*case.expect, rule))
        )
    }
    assert seen == set(windows.WRONG)


def test_every_wrong_way_to_list_rows_is_told_apart_somewhere():
    assert {name for case in rows.cases(0) for name, _, _ in case.expect[1]} == set(rows.WRONG)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_rounding_decides_no_greedy_token(seed):
    for case in loop.cases(seed):
        if isinstance(case.expect, loop.Written):
            run = case.expect
            assert engine.greedy(run.tiny, run.ids, run.real, run.new)[1] >= loop.LEAD > 100 * 1e-5


@pytest.mark.parametrize(
    ("method", "args", "says"),
    [
        ("embed", (torch.tensor([[31]]),), "0..30"),
        ("embed", ([[1]],), "got list"),
        ("embed", (torch.zeros(1, 0).long(),), "at least one"),
        ("embed", (torch.zeros(600, 1).long(),), "at most 512 rows"),
        ("embed", (torch.zeros(1, 2),), "integers"),
        ("qkv", (True, torch.zeros(1, 1, 36), torch.zeros(1, 1).long()), "no layer True"),
        ("qkv", (0, torch.zeros(1, 1, 36), torch.full((1, 1), 5000)), "0..4095"),
        ("qkv", (0, torch.zeros(1, 1, 36), torch.zeros(1, 2).long()), r"\(1, 1\)"),
        ("finish", (0, torch.zeros(1, 2, 36), torch.zeros(1, 2, 4, 6)), r"\(1, 4, 2, 6\)"),
        ("finish", (10**30, None, None), "must be"),
        ("logits", (torch.zeros(1, 600, 36),), "at most 512 rows"),
        ("logits", (torch.zeros(1, 1, 36, dtype=torch.complex64),), "complex64"),
    ],
)
def test_the_trusted_model_refuses_what_does_not_fit(method, args, says):
    with pytest.raises((ValueError, AttributeError), match=says):
        getattr(Parts(Tiny(1).narrow), method)(*args)


def test_the_trusted_cache_refuses_what_does_not_fit():
    cache = TrustedCache(2)
    good = torch.zeros(1, 2, 3, 4)
    cache.append(0, good, good)
    for args in (
        (2, good, good),
        (0, good, good[:, :, :1]),
        (0, good[:, :1], good[:, :1]),
        (True, good, good),
        (0, "keys", good),
        (0, torch.zeros(1, 600, 1, 1), torch.zeros(1, 600, 1, 1)),
        (0, *[torch.zeros(1, 2, 510, 4)] * 2),
    ):
        with pytest.raises(ValueError):
            cache.append(*args)
    assert cache.length() == 3 and math.isclose(float(cache.append(0, good, good)[0].sum()), 0)
