"""The oracles of the checks of `flops` against Hugging Face's models and torch's own counter, on the meta device.

Nothing is computed there: only shapes flow, so Llama-2-70B is as cheap as a toy. Attention is "eager", the form whose
products the counter sees. Every comparison is exact.
"""

import random
from functools import cache

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    DynamicCache,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from llmlab.checks.flops import memory, oracle, passes
from llmlab.models.shapes import MODELS, shape_of

LLAMA_TYPE = {"Gemma-7B": (GemmaConfig, GemmaForCausalLM), "Mistral-7B": (MistralConfig, MistralForCausalLM)}
COUNTED = ("GPT-2", "OPT-13B", "Llama-2-7B", "Llama-2-13B", "Llama-2-70B", "Llama-3.2-1B", "Gemma-7B")
BYTES = torch.bfloat16.itemsize


def build(shape):
    """Hugging Face's model of this shape, made of meta tensors."""
    if shape["positions"] == 2050:  # OPT keeps two rows that no token uses
        config = OPTConfig(vocab_size=shape["vocab"], hidden_size=shape["hidden"], num_hidden_layers=shape["layers"],
                           ffn_dim=shape["mlp"], num_attention_heads=shape["heads"], max_position_embeddings=2048,
                           word_embed_proj_dim=shape["hidden"], attn_implementation="eager")
        kind = OPTForCausalLM
    elif shape["bias"]:
        config = GPT2Config(n_embd=shape["hidden"], n_layer=shape["layers"], n_head=shape["heads"],
                            vocab_size=shape["vocab"], n_positions=shape["positions"], attn_implementation="eager")
        kind = GPT2LMHeadModel
    else:
        name = next((name for name in LLAMA_TYPE if MODELS[name] == shape), "")
        kinds, kind = LLAMA_TYPE.get(name, (LlamaConfig, LlamaForCausalLM))
        config = kinds(hidden_size=shape["hidden"], num_hidden_layers=shape["layers"], vocab_size=shape["vocab"],
                       num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"],
                       head_dim=shape["head_dim"], intermediate_size=shape["mlp"], tie_word_embeddings=shape["tied"],
                       max_position_embeddings=4096, attn_implementation="eager")
    with torch.device("meta"):
        return kind(config).eval().to(torch.bfloat16)


@cache
def published(name):
    return build(MODELS[name])


@pytest.fixture(params=COUNTED)
def model(request):
    return MODELS[request.param], published(request.param)


def counted(model, batch, new, past=None, **options):
    """FLOPs that torch counts in one pass of `new` tokens after those in the cache `past`."""
    before = past.get_seq_length() if past is not None else 0
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model(torch.zeros(batch, new, dtype=torch.long), attention_mask=torch.zeros(batch, 1, new, before + new),
              position_ids=torch.zeros(batch, new, dtype=torch.long), past_key_values=past, use_cache=past is not None,
              **options)
    return counter.get_total_flops()


def test_prefill_and_decode_steps_cost_what_torch_counts(model):
    shape, hf = model
    past = DynamicCache()
    assert counted(hf, 3, 33, past) == oracle.flops(oracle.products(shape, 3, 33, 33, 33))
    held = sum(layer.keys.numel() + layer.values.numel() for layer in past.layers)
    assert held == oracle.cached(shape, 3, 33)
    assert {layer.keys.element_size() for layer in past.layers} == {BYTES}
    assert counted(hf, 3, 1, past, logits_to_keep=1) == oracle.flops(oracle.products(shape, 3, 1, 34, 1))
    chunk = counted(hf, 3, 5, past, logits_to_keep=2)  # several tokens after a cache, as in chunked prefill
    assert chunk == oracle.flops(oracle.products(shape, 3, 5, 39, 2))
    assert past.get_seq_length() == 39


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_those_of_hugging_faces_model(name):
    parts = {"embeddings": 0, "attention": 0, "mlp": 0, "norms": 0, "lm_head": 0}
    for tensor, parameter in published(name).named_parameters():
        for part, words in {"lm_head": ("lm_head",), "embeddings": ("wte", "wpe", "embed"), "norms": ("norm", ".ln_"),
                            "attention": ("attn",), "mlp": ("mlp", ".fc")}.items():
            if any(word in tensor for word in words):
                parts[part] += parameter.numel()
                break
        else:
            raise AssertionError(tensor)
    assert {part: oracle.held(MODELS[name], part) for part in parts} == parts


@pytest.mark.parametrize(("name", "count"), memory.PUBLISHED.items())
def test_parameters_are_the_published_ones(name, count):
    assert oracle.held(MODELS[name]) == count


def test_cache_sizes_are_the_published_ones():
    """Kwon et al. 2023, section 3: 2 (K and V) * 5120 * 40 layers * 2 bytes = 800 KB a token for OPT-13B."""
    assert oracle.cached(MODELS["OPT-13B"], 1, 1) * BYTES == 2 * 5120 * 40 * 2 == 800 * 1024
    assert oracle.cached(MODELS["Llama-2-70B"], 1, 4096) * BYTES == 1.25 * 2**30
    assert oracle.cached(MODELS["Llama-2-7B"], 1, 4096) * BYTES == 2 * 2**30


def test_generation_costs_what_torch_counts_over_a_whole_run():
    """Greedy text does not exist on the meta device; the passes that `generate` would make do."""
    shape = oracle.draw(random.Random(1), grouped=True, gated=True, tied=True)
    hf, prompt, tokens = build(shape), 9, 7
    past = DynamicCache()
    with_cache = [counted(hf, 1, prompt, past, logits_to_keep=1)]
    with_cache += [counted(hf, 1, 1, past, logits_to_keep=1) for _ in range(tokens - 1)]
    without = [counted(hf, 1, prompt + i, logits_to_keep=1) for i in range(tokens)]
    for flag, found in ((True, with_cache), (False, without)):
        right = passes.generation_case(passes.CACHED, shape, prompt, tokens, flag).expect.right
        assert (right["prefill"].value, right["decode"].value) == (found[0], sum(found[1:]))


def test_backward_costs_twice_the_forward_pass():
    """So 6 FLOPs per parameter and token are forward and backward together; a forward pass has 2."""
    shape = MODELS["Llama-2-7B"]
    hf = published("Llama-2-7B")
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        out = hf(torch.zeros(1, 64, dtype=torch.long), attention_mask=torch.zeros(1, 1, 64, 64), use_cache=False)
        forward = counter.get_total_flops()
        out.logits.sum().backward()
    work = oracle.flops(oracle.products(shape, 1, 64, 64, 64))
    assert forward == work
    assert counter.get_total_flops() == pytest.approx(3 * work, rel=1e-12)


def test_shapes_are_read_from_configs():
    config = LlamaConfig(hidden_size=48, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2,
                         vocab_size=99, intermediate_size=130, tie_word_embeddings=True)
    shape = shape_of(config.to_dict())
    assert shape == {"layers": 3, "hidden": 48, "heads": 6, "kv_heads": 2, "head_dim": 8, "mlp": 130, "gated": True,
                     "vocab": 99, "tied": True, "positions": 0, "bias": False}
    assert oracle.held(shape) == sum(p.numel() for p in build(shape).parameters())
