"""Shapes of published models, and data-sheet figures of accelerators: plain dicts to reckon with, no weights.

The keys are explained in `llmlab.flops`. What a shape adds up to is not written here: `llmlab.flops.parameters` finds
it, and tests compare it with Hugging Face's own model and with the published counts. Architectures that these keys
cannot describe (experts, latent attention, biases in some maps only) are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def _shape(layers: int, hidden: int, heads: int, kv_heads: int, head_dim: int, mlp: int, vocab: int, *,
           gated: bool = True, tied: bool = False, positions: int = 0, bias: bool = False) -> dict[str, Any]:
    return {"layers": layers, "hidden": hidden, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "mlp": mlp,
            "gated": gated, "vocab": vocab, "tied": tied, "positions": positions, "bias": bias}


MODELS: dict[str, dict[str, Any]] = {
    "GPT-2": _shape(12, 768, 12, 12, 64, 3072, 50257, gated=False, tied=True, positions=1024, bias=True),
    "GPT-2 XL": _shape(48, 1600, 25, 25, 64, 6400, 50257, gated=False, tied=True, positions=1024, bias=True),
    "OPT-13B": _shape(40, 5120, 40, 40, 128, 20480, 50272, gated=False, tied=True, positions=2050, bias=True),
    "Llama-2-7B": _shape(32, 4096, 32, 32, 128, 11008, 32000),
    "Llama-2-13B": _shape(40, 5120, 40, 40, 128, 13824, 32000),
    "Llama-2-70B": _shape(80, 8192, 64, 8, 128, 28672, 32000),
    "Llama-3.1-8B": _shape(32, 4096, 32, 8, 128, 14336, 128256),
    "Llama-3.1-70B": _shape(80, 8192, 64, 8, 128, 28672, 128256),
    "Llama-3.2-1B": _shape(16, 2048, 32, 8, 64, 8192, 128256, tied=True),
    "Mistral-7B": _shape(32, 4096, 32, 8, 128, 14336, 32000),
    "Gemma-7B": _shape(28, 3072, 16, 16, 256, 24576, 256000, tied=True),
    "TinyLlama-1.1B": _shape(22, 2048, 32, 4, 64, 5632, 32000),
    "SmolLM2-135M": _shape(30, 576, 9, 3, 64, 1536, 49152, tied=True),
}
"""From each model's published config.json."""

ACCELERATORS: dict[str, dict[str, float]] = {
    "H100 SXM": {"flops": 989e12, "bandwidth": 3.35e12, "memory": 80e9},
    "H100 PCIe": {"flops": 756e12, "bandwidth": 2.0e12, "memory": 80e9},
    "H200": {"flops": 989e12, "bandwidth": 4.8e12, "memory": 141e9},
    "A100 SXM 80GB": {"flops": 312e12, "bandwidth": 2.039e12, "memory": 80e9},
    "L4": {"flops": 121e12, "bandwidth": 0.3e12, "memory": 24e9},
}
"""Peaks from NVIDIA's data sheets: dense bfloat16 FLOP/s (half of what is printed "with sparsity"), bytes/s, bytes."""


def shape_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of a model of Llama type from its `config.json`, or from `vars(config)` of a config object.

    >>> config = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2,
    ...           "intermediate_size": 20, "vocab_size": 50}
    >>> shape = shape_of(config)
    >>> shape["kv_heads"], shape["head_dim"], shape["tied"]
    (2, 2, False)
    """
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    return _shape(config["num_hidden_layers"], hidden, heads, config.get("num_key_value_heads") or heads,
                  config.get("head_dim") or hidden // heads, config["intermediate_size"], config["vocab_size"],
                  tied=config.get("tie_word_embeddings", False))
