"""The same function in a larger or a harder body: `wide` and `outlier`.

`wide` pads a trained model with zeros to more width and more layers, so that a step costs what a larger
model's step costs while every logit stays what it was. `outlier` makes a few channels of the stream much
larger than the rest, as in large language models, and takes it back in the norms' gains: what breaks naive
quantization, on a model that fits in the box. Neither learns anything; both are computed from the trained
weights when they are loaded.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from llmlab.models.llama import Llama, LlamaConfig


def padded(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """``tensor`` in the first corner of zeros of ``shape``.

    >>> padded(torch.ones(1, 2), (2, 3)).tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    out = torch.zeros(shape, dtype=tensor.dtype)
    out[tuple(slice(size) for size in tensor.shape)] = tensor
    return out


def widen(model: Llama, hidden_size: int = 768, layers: int = 12) -> Llama:
    """A wider and deeper Llama with the same logits.

    Width: stream channels, heads and MLP rows beyond the old ones are zero. The one thing that notices is
    RMSNorm, which divides by the mean over all channels. With D old and W new channels and the same sum of
    squares,

        sum/W + eps*D/W = (D/W) * (sum/D + eps),

    so with eps' = eps * D/W the new root is sqrt(D/W) times the old one, and a gain of sqrt(D/W) * gain
    makes up. Depth: an extra layer whose two output matrices are zero adds nothing to the stream. The extra
    layers' other matrices are copies of the trained ones, so that they compute with ordinary numbers.

    Raises ValueError if ``hidden_size`` is not a multiple of the old one, or ``layers`` are fewer than
    there are.
    """
    old = model.config
    if hidden_size % old.hidden_size:
        raise ValueError(
            f"hidden_size {hidden_size} is not a multiple of {old.hidden_size}: heads would not divide"
        )
    if layers < old.num_hidden_layers:
        raise ValueError(f"layers {layers} < {old.num_hidden_layers}: widening only adds layers")
    times = hidden_size // old.hidden_size
    config = dataclasses.replace(
        old,
        hidden_size=hidden_size,
        intermediate_size=old.intermediate_size * times,
        num_hidden_layers=layers,
        num_attention_heads=old.num_attention_heads * times,
        num_key_value_heads=old.num_key_value_heads * times,
        rms_norm_eps=old.rms_norm_eps / times,
    )
    wide = empty(config, model.lm_head.weight.dtype)
    state, trained = wide.state_dict(), model.state_dict()
    for name, tensor in state.items():
        source, added = _source(name, old.num_hidden_layers)
        value = padded(trained[source], tuple(tensor.shape))
        if tensor.ndim == 1:  # a norm gain
            value *= times**-0.5
        if added and name.endswith(("o_proj.weight", "down_proj.weight")):
            value.zero_()
        state[name] = value
    wide.load_state_dict(state)
    return wide


def empty(config: LlamaConfig, dtype: torch.dtype) -> Llama:
    """A Llama whose numbers are about to be replaced: no time is spent on initialising them."""
    with torch.device("meta"):
        model = Llama(config)
    model = model.to(dtype).to_empty(device="cpu")
    if config.tie_word_embeddings:
        model.lm_head.weight = model.model.embed_tokens.weight
    return model


def _source(name: str, old_layers: int) -> tuple[str, bool]:
    """The trained tensor behind ``name``, and whether its layer is an added one."""
    parts = name.split(".")
    if parts[:2] != ["model", "layers"]:
        return name, False
    index = int(parts[2])
    parts[2] = str(index % old_layers)
    return ".".join(parts), index >= old_layers


def with_outliers(model: Llama, channels: int = 4, factor: float = 20.0, seed: int = 0) -> Llama:
    """A copy with the same logits whose matrices have a few huge columns.

    In front of every attention and MLP, ``channels`` channels of the norm's gain are divided by ``factor``
    and the same columns of the matrices that read them are multiplied by it, which cancels. With a
    ``factor`` below 1 it is the other way round: the activations get the outliers. Which channels is drawn
    from ``seed``, anew in each place. The last norm and the output matrix stay: that matrix is tied to the
    embedding.

    Raises ValueError if ``channels`` is not between 1 and the width, or ``factor`` is not positive.
    """
    width = model.config.hidden_size
    if not 1 <= channels <= width:
        raise ValueError(f"channels {channels} is not between 1 and the width {width}")
    if not factor > 0:
        raise ValueError(f"factor {factor} is not positive: a channel scaled by it could not be scaled back")
    copy = empty(model.config, model.lm_head.weight.dtype)
    copy.load_state_dict(model.state_dict())
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in copy.model.layers:
            attention, mlp = layer.self_attn, layer.mlp
            for norm, readers in (
                (layer.input_layernorm, (attention.q_proj, attention.k_proj, attention.v_proj)),
                (layer.post_attention_layernorm, (mlp.gate_proj, mlp.up_proj)),
            ):
                chosen = torch.randperm(width, generator=generator)[:channels]
                norm.weight[chosen] /= factor
                for reader in readers:
                    reader.weight[:, chosen] *= factor
    return copy
