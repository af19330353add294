"""What is read off the measured schemes: losses, and the table that the book shows. Numbers and text only."""

from __future__ import annotations

Values = dict[str, float | int | str]

NAMES: dict[str, str] = {
    "bf16": "bfloat16", "int8_tensor": "int8 / tensor", "int8_channel": "int8 / row", "q8_0": "Q8_0",
    "e4m3": "E4M3 / tensor", "e5m2": "E5M2 / tensor", "int4_tensor": "int4 / tensor", "int4_channel": "int4 / row",
    "int4_32": "int4 / 32", "q4_0": "Q4_0", "q4_k": "Q4_K", "nf4_64": "NF4 / 64", "nf4_64_double": "NF4 / 64, double",
    "nf4_32": "NF4 / 32", "nf4_32_double": "NF4 / 32, double", "awq4_32": "AWQ int4 / 32",
    "gptq4_channel": "GPTQ int4 / row", "gptq4_32": "GPTQ int4 / 32", "gptq4_32_order": "GPTQ int4 / 32, act_order",
    "int3_tensor": "int3 / tensor", "int3_channel": "int3 / row", "int3_32": "int3 / 32", "awq3_32": "AWQ int3 / 32",
    "gptq3_32": "GPTQ int3 / 32", "int2_32": "int2 / 32", "gptq2_32": "GPTQ int2 / 32",
}
"""Schemes in the order in which the book lists them, in words: what is kept, and how many weights share a scale."""


def losses(values: Values) -> Values:
    """Perplexity ratios as losses, for the lectures' percentages; and the share of the file that is not in layers."""
    of = {"loss_int8_tensor": "target_int8_tensor", "loss_int4_tensor": "target_int4_tensor",
          "loss_gptq4_32": "target_gptq4_32", "loss_nf4_64": "target_nf4_64", "loss_outlier_awq4_32": "outlier_awq4_32"}
    made = {key: values[f"{name}_ratio"] - 1 for key, name in of.items()}
    gain = values["target_int4_32_kl"] / values["target_gptq4_32_kl"]
    return made | {"layer_rest": 1 - values["layer_share"], "gain_gptq4": gain}


def table(values: Values) -> dict[str, list]:
    """Every scheme with its bits, its size and its losses on both models, as text."""
    columns = ["scheme", "bits a weight", "MB", "perplexity ×", "KL", "agreement", "perplexity × (loud)", "KL (loud)",
               "agreement (loud)"]
    made = [[words, f"{values[f'bits_{key}']:.2f}", f"{values[f'written_mb_{key}']:.2f}",
             *shown(values, f"target_{key}"), *shown(values, f"outlier_{key}")] for key, words in NAMES.items()]
    return {"columns": columns, "rows": made}


def shown(values: Values, at: str) -> tuple[str, str, str]:
    """
    >>> shown({"a_ratio": 1.00271, "a_kl": 0.00354, "a_agree": 0.9519}, "a")
    ('1.0027', '0.0035', '95.2%')
    >>> shown({"a_ratio": 2230.3, "a_kl": 7.68, "a_agree": 0.0046}, "a")
    ('2,230', '7.68', '0.5%')
    """
    ratio = values[f"{at}_ratio"]
    grown = f"{ratio:.4f}" if ratio < 2 else f"{ratio:.1f}" if ratio < 100 else f"{ratio:,.0f}"
    kl = values[f"{at}_kl"]
    far = f"{kl:.2f}" if kl >= 1 else f"{kl:.4f}" if kl >= 1e-4 else "below 0.0001"
    return grown, far, f"{values[f'{at}_agree']:.1%}"
