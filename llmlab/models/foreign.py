"""Models of other architectures, through transformers, with the interface of the lean Llama.

The only file of `llmlab.models` that imports transformers; it is imported when such a model is asked for.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import torch
from torch import Tensor, nn

from llmlab.models.lm import LM


class ForeignCache:
    """transformers' DynamicCache, with the mask of the columns it holds."""

    def __init__(self, batch: int) -> None:
        from transformers import DynamicCache

        self.inner = DynamicCache()
        self.mask = torch.zeros(batch, 0, dtype=torch.int64)

    @property
    def length(self) -> int:
        """Columns stored, pads included."""
        return self.mask.shape[1]

    def truncate(self, length: int) -> None:
        """Forget every column from ``length`` on."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot cut a cache of {self.length} columns to {length}")
        if length < self.length:
            self.inner.crop(length - self.length)  # negative: so many columns less
        self.mask = self.mask[:, :length]


class Foreign(nn.Module):
    """A transformers model that is called like the lean Llama."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.takes_positions = "position_ids" in inspect.signature(inner.forward).parameters

    def new_cache(self, batch: int) -> ForeignCache:
        """An empty cache for ``batch`` sequences."""
        return ForeignCache(batch)

    def forward(
        self,
        ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: ForeignCache | None = None,
        last_only: bool = False,
    ) -> Tensor:
        """Logits (B, T, V) of (B, T) ids; (B, 1, V) with ``last_only``. See Llama.forward."""
        mask = torch.ones_like(ids) if attention_mask is None else attention_mask.long()
        past = cache.length if cache is not None else 0
        seen = torch.cat([cache.mask, mask], dim=1) if cache is not None else mask  # (B, S)
        more = {}
        if self.takes_positions:
            more["position_ids"] = (seen.cumsum(1) - 1).clamp(min=0)[:, past:]
        out = self.inner(
            input_ids=ids,
            attention_mask=seen,
            use_cache=cache is not None,
            past_key_values=cache.inner if cache is not None else None,
            **more,
        )
        if cache is not None:
            cache.mask = seen
        return out.logits[:, -1:] if last_only else out.logits


def wrap(name: str, folder: Path, dtype: torch.dtype) -> LM:
    """Load a local folder through transformers' AutoModelForCausalLM and AutoTokenizer.

    Raises ImportError with the next step where transformers is not installed, ValueError where the
    tokenizer is not one of the fast kind or the folder is not a causal language model.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise ImportError(
            f"{name} is not a plain Llama, so it needs the transformers package: pip install transformers "
            "(the shipped models do without)"
        ) from error
    try:
        inner = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name} cannot be loaded as a causal language model: {str(error).splitlines()[0]}"
        ) from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ValueError(
            f"{name} has a tokenizer without tokenizer.json: save a fast one into the folder first"
        )
    ids = {"bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}
    known = {kind: int(i) for kind, i in ids.items() if i is not None}
    return LM(name, Foreign(inner), inner.config, backend, inner.config.vocab_size, known)
