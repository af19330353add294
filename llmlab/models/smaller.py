"""A model from layers of other sizes: what the lesson on pruning puts its matrices into. It prunes nothing itself."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence

from torch import Tensor

from llmlab.models.llama import Llama
from llmlab.models.lm import LM

PARTS = {"q_proj": "self_attn", "k_proj": "self_attn", "v_proj": "self_attn", "o_proj": "self_attn",
         "gate_proj": "mlp", "up_proj": "mlp", "down_proj": "mlp"}  # fmt: skip


def layer_weights(lm: LM, layer: int) -> dict[str, Tensor]:
    """The seven matrices of a layer by name, (out, in), as they are: not copies.

    >>> from llmlab.models import load
    >>> {name: tuple(weight.shape) for name, weight in layer_weights(load("draft"), 0).items()}["down_proj"]
    (96, 256)
    """
    block = lm.model.model.layers[layer]
    return {name: getattr(getattr(block, part), name).weight.detach() for name, part in PARTS.items()}


def with_layers(lm: LM, layers: Sequence[Mapping[str, Tensor]]) -> LM:
    """A new model with these matrices in its layers; embedding, norms and tokenizer are copies of `lm`'s.

    The matrices say how many heads and channels there are; every layer must have as many. The numbers of
    layers, the width and the width of a head stay. Raises ValueError, naming the layer, where sizes differ.

    >>> from llmlab.models import load
    >>> lm = load("draft")
    >>> with_layers(lm, [layer_weights(lm, 0), layer_weights(lm, 1)])
    LM('draft', 0.40 M parameters, vocabulary 2048)
    """
    config, first = lm.config, layers[0]
    if len(layers) != config.num_hidden_layers:
        raise ValueError(f"{len(layers)} layers given, the model has {config.num_hidden_layers}")
    for number, weights in enumerate(layers):
        for name in PARTS:
            if weights[name].shape != first[name].shape:
                raise ValueError(f"layer {number}: {name} has shape {tuple(weights[name].shape)}, and "
                                 f"{tuple(first[name].shape)} in layer 0; all layers need the same sizes")
    config = dataclasses.replace(
        config,
        num_attention_heads=first["q_proj"].shape[0] // config.head_dim,
        num_key_value_heads=first["k_proj"].shape[0] // config.head_dim,
        intermediate_size=first["gate_proj"].shape[0],
    )
    state = {name: tensor.detach().clone() for name, tensor in lm.model.state_dict().items()}
    for number, weights in enumerate(layers):
        for name, part in PARTS.items():
            state[f"model.layers.{number}.{part}.{name}.weight"] = weights[name].clone()
    small = copy.copy(lm)
    small.model = Llama(config).to(next(iter(state.values())).dtype).eval()
    small.model.load_state_dict(state)
    small.config = config
    return small
