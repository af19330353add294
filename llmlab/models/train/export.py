"""Write a trained model as a Hugging Face folder: config, bf16 weights, tokenizer, manifest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from llmlab.models.llama import Llama
from llmlab.models.train.tokenizer import BOS_ID, EOS_ID, PAD_ID, save_tokenizer


def export(model: Llama, tokenizer: Tokenizer, folder: Path, manifest: dict[str, object]) -> None:
    """Write the folder. Each file is replaced whole, so a reader never sees half of one.

    The tied output matrix is stored once, as Hugging Face does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ids = {"bos_token_id": BOS_ID, "eos_token_id": EOS_ID, "pad_token_id": PAD_ID}
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "use_cache": True,
        **ids,
        **dataclasses.asdict(model.config),
    }
    config["rope_parameters"] = {"rope_type": "default", "rope_theta": config["rope_theta"]}
    weights = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
        if not (name == "lm_head.weight" and model.config.tie_word_embeddings)
    }
    part = folder / "model.safetensors.part"
    save_file(weights, part, metadata={"format": "pt"})
    part.chmod(0o644)
    os.replace(part, folder / "model.safetensors")
    save_tokenizer(tokenizer, folder, model.config.max_position_embeddings)
    _write(folder / "config.json", config)
    _write(folder / "generation_config.json", {**ids, "do_sample": False})
    hashes = {name: sha256(folder / name) for name in ("model.safetensors", "tokenizer.json", "config.json")}
    _write(folder / "manifest.json", {**manifest, "sha256": hashes})


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(path: Path, value: object) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)
