"""`load`: a model by shipped name, folder or hub name.

Shipped names and Llama folders run through the lean forward and never import transformers. Other
architectures are wrapped (foreign.py).
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from llmlab.models.llama import LlamaConfig
from llmlab.models.lm import LM
from llmlab.models.widen import empty, widen, with_outliers

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = ("target", "draft", "wide", "outlier")  # the last two are made from target while loading


class UnknownModelError(LookupError):
    """There is no such model; the message says what there is."""


def load(name_or_path: str | Path = "target", dtype: torch.dtype = torch.float32) -> LM:
    """Load a model with its tokenizer.

    ``name_or_path``: a shipped name (target, draft, wide, outlier), a folder in Hugging Face format, or a
    hub name ``owner/name`` (needs a network). ``dtype``: of weights and logits.

    Raises UnknownModelError (a LookupError) that names the value, lists the shipped models and says what to
    do.

    >>> load("draft")
    LM('draft', 0.40 M parameters, vocabulary 2048)
    >>> load("drift")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    llmlab.models.loader.UnknownModelError: there is no model 'drift'. Did you mean 'draft'? ...
    """
    name = str(name_or_path)
    if name in SHIPPED:
        return _shipped(name, dtype)
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _folder(name, folder, dtype)
    if name.count("/") == 1 and all(name.split("/")) and name[0] not in ".~":
        return _folder(name, _download(name), dtype)
    near = difflib.get_close_matches(name, SHIPPED, n=1)
    raise _unknown(name, f"Did you mean {near[0]!r}? " if near else "")


def _unknown(name: str, detail: str = "") -> UnknownModelError:
    return UnknownModelError(
        f"there is no model {name!r}. {detail}Shipped models: {', '.join(SHIPPED)}. Or give the path "
        "of a folder with config.json, model.safetensors and tokenizer.json, or a hub name of the form "
        "owner/name (needs a network)."
    )


def _shipped(name: str, dtype: torch.dtype) -> LM:
    source = name if name in ("target", "draft") else "target"
    lm = _folder(name, WEIGHTS / source, dtype)
    if name in ("wide", "outlier"):
        lm.model = (widen(lm.model) if name == "wide" else with_outliers(lm.model)).eval()
        lm.config = lm.model.config
    return lm


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.model", "*.txt"]))
    except (OSError, HfHubHTTPError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise _unknown(name, f"It is no folder here, and the hub did not give it ({reason}). ") from error


def _folder(name: str, folder: Path, dtype: torch.dtype) -> LM:
    if not (folder / "config.json").is_file():
        raise _unknown(name, "The folder is there, but has no config.json. ")
    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    files = sorted(folder.glob("*.safetensors"))
    if not is_plain_llama(raw) or not files or not (folder / "tokenizer.json").is_file():
        from llmlab.models.foreign import wrap

        return wrap(name, folder, dtype)
    config = read_config(raw)
    state = {key: value.to(dtype) for file in files for key, value in load_file(file).items()}
    if config.tie_word_embeddings:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model = empty(config, dtype)
    missing, extra = model.load_state_dict(state, strict=False)
    if missing or [key for key in extra if "rotary_emb" not in key]:
        raise ValueError(
            f"the weights in {name} do not fit their config.json: missing {missing[:3]}, "
            f"not expected {extra[:3]}. Is every *.safetensors file of the model in the folder?"
        )
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return LM(name, model, config, tokenizer, config.vocab_size, special_ids(raw))


def is_plain_llama(raw: dict[str, Any]) -> bool:
    """Whether the lean forward computes this config exactly: no biases, no scaled rotary positions."""
    ropes = [raw.get("rope_parameters") or {}, raw.get("rope_scaling") or {}]  # transformers 5 and 4
    return (
        raw.get("model_type") == "llama"
        and not raw.get("attention_bias")
        and not raw.get("mlp_bias")
        and raw.get("hidden_act", "silu") == "silu"
        and all(rope.get("rope_type", rope.get("type", "default")) == "default" for rope in ropes)
    )


def read_config(raw: dict[str, Any]) -> LlamaConfig:
    """LlamaConfig from the content of a ``config.json`` of transformers 4 or 5."""
    heads = raw["num_attention_heads"]
    rope = raw.get("rope_parameters") or {}
    return LlamaConfig(
        vocab_size=raw["vocab_size"],
        hidden_size=raw["hidden_size"],
        intermediate_size=raw["intermediate_size"],
        num_hidden_layers=raw["num_hidden_layers"],
        num_attention_heads=heads,
        num_key_value_heads=raw.get("num_key_value_heads") or heads,
        head_dim=raw.get("head_dim") or raw["hidden_size"] // heads,
        rms_norm_eps=raw.get("rms_norm_eps", 1e-6),
        rope_theta=float(rope.get("rope_theta") or raw.get("rope_theta") or 10_000.0),
        max_position_embeddings=raw.get("max_position_embeddings", 2048),
        tie_word_embeddings=raw.get("tie_word_embeddings", False),
    )


def special_ids(raw: dict[str, Any]) -> dict[str, int]:
    """bos, eos and pad of a config, those that it has; of several eos the first."""
    out = {}
    for kind in ("bos", "eos", "pad"):
        value = raw.get(f"{kind}_token_id")
        if isinstance(value, list):
            value = value[0] if value else None
        if value is not None:
            out[kind] = int(value)
    return out
