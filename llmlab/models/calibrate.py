"""What calibration needs of a model: its matrices by name, what flows into them, and a copy with others in their place.

Only the matrices inside the layers: embedding, output matrix and norms are not touched. Nothing is quantized here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from llmlab.models.llama import Llama
from llmlab.models.lm import LM
from llmlab.models.train import corpus

Product = Callable[[Tensor, Tensor], Tensor]


def matrices(lm: LM) -> dict[str, Tensor]:
    """Name -> matrix (O, I) of every linear map inside the layers of a shipped or local Llama.

    >>> from llmlab.models import load
    >>> list(matrices(load("draft")))[4:7]  # doctest: +ELLIPSIS
    ['model.layers.0.mlp.gate_proj.weight', 'model.layers.0.mlp.up_proj.weight', '...mlp.down_proj.weight']
    """
    return {f"{name}.weight": module.weight.detach() for name, module in _linears(lm).items()}


@torch.no_grad()
def inputs(lm: LM, ids: Tensor) -> dict[str, Tensor]:
    """Name of a matrix -> the rows (N, I) that it is multiplied with while the model reads ids (B, T); N = B T.

    q, k and v read the same rows, and so do gate and up: they share one tensor.
    """
    found: dict[str, Tensor] = {}
    hooks = [module.register_forward_pre_hook(_keeper(found, f"{name}.weight"))
             for name, module in _linears(lm).items()]
    try:
        lm.logits(ids)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def readers(lm: LM) -> dict[str, tuple[str, ...]]:
    """Where a scale can be folded: name of the operation before -> names of all matrices that read what it makes.

    The norm before attention feeds q, k and v, the other norm gate and up; row j of up makes channel j of what down
    reads. The output matrix of attention has no such place here: its inputs are values that several heads share.

    >>> from llmlab.models import load
    >>> list(readers(load("draft")).items())[2]  # doctest: +ELLIPSIS
    ('model.layers.0.mlp.up_proj.weight', ('model.layers.0.mlp.down_proj.weight',))
    """
    found: dict[str, tuple[str, ...]] = {}
    for layer in range(_llama(lm).config.num_hidden_layers):
        at = f"model.layers.{layer}."
        found[at + "input_layernorm.weight"] = tuple(f"{at}self_attn.{part}_proj.weight" for part in "qkv")
        found[at + "post_attention_layernorm.weight"] = at + "mlp.gate_proj.weight", at + "mlp.up_proj.weight"
        found[at + "mlp.up_proj.weight"] = (at + "mlp.down_proj.weight",)
    return found


@torch.no_grad()
def changed(lm: LM, weights: Mapping[str, Tensor], product: Product | None = None) -> LM:
    """A copy of the model with these tensors in place of its own; the rest is shared with nothing.

    weights: any names of `lm.model.state_dict()`. product: if given, every linear map inside the layers computes
    product(x (N, I), w (O, I)) -> (N, O), such as `calibration.llm_int8`, in place of x w^T.
    Raises ValueError, naming it, for a name that the model does not have or a tensor of another shape.
    """
    other = copy.copy(lm)
    other.model = copy.deepcopy(_llama(lm))
    state = dict(other.model.state_dict())
    for name, tensor in weights.items():
        if name not in state or state[name].shape != tensor.shape:
            wanted = tuple(state[name].shape) if name in state else "no tensor of that name"
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}; the model has {wanted}")
        state[name].copy_(tensor)
    if product is not None:
        for name, module in _linears(other).items():
            parent, _, child = name.rpartition(".")
            setattr(other.model.get_submodule(parent), child, _Multiplied(module.weight, product))
    return other


def output_errors(flows: Mapping[str, Tensor], before: Mapping[str, Tensor],
                  after: Mapping[str, Tensor]) -> dict[str, float]:
    """"layer.part" -> mean squared error of that matrix's output / mean square of the output, for its own inputs.

    flows: what `inputs` gave; before, after: name -> matrix. The short names are those of a plot: "0.q", "3.down".

    >>> name, x = "model.layers.3.mlp.down_proj.weight", torch.eye(2)
    >>> output_errors({name: x}, {name: torch.tensor([[3.0, 4.0]])}, {name: torch.tensor([[3.0, 3.0]])})
    {'3.down': 0.03999999910593033}
    """
    found = {}
    for name, x in flows.items():
        right, parts = x @ before[name].T, name.split(".")
        off = x @ (after[name] - before[name]).T
        found[f"{parts[2]}.{parts[-2].removesuffix('_proj')}"] = float(off.square().mean() / right.square().mean())
    return found


def rows(lm: LM, count: int, width: int = 128, part: str = "train", seed: int = 0) -> Tensor:
    """Token ids (count, width): documents of all kinds of the training text in random order, one after the other.

    part: "train" to calibrate, "validation" to measure; no document is in both. The docstrings of Python's library
    are left out, so the ids are the same everywhere.
    Raises ValueError if there are fewer rows than `count`.
    """
    text = corpus.build(scale=1.0 if part == "validation" else 0.2, with_docstrings=False)
    docs = [doc for kind in getattr(text, part).values() for doc in kind]
    order = torch.randperm(len(docs), generator=torch.Generator().manual_seed(seed)).tolist()
    ids: list[int] = []
    for index in order:
        if len(ids) >= count * width:
            break
        ids += [lm.bos_id, *lm.encode(docs[index]), lm.eos_id]
    if len(ids) < count * width:
        raise ValueError(f"the text has {len(ids) // width} rows of {width} tokens, fewer than {count}")
    return torch.tensor(ids[: count * width]).view(count, width)


class _Multiplied(nn.Module):
    """A linear map whose product someone else computes."""

    def __init__(self, weight: Tensor, product: Product) -> None:
        super().__init__()
        self.weight, self.product = nn.Parameter(weight.detach(), requires_grad=False), product

    def forward(self, x: Tensor) -> Tensor:  # (..., I) -> (..., O)
        return self.product(x.reshape(-1, x.shape[-1]), self.weight).view(*x.shape[:-1], len(self.weight))


def _llama(lm: LM) -> Llama:
    if not isinstance(lm.model, Llama):
        raise ValueError(f"only a Llama can be taken apart, got {type(lm.model).__name__}")
    return lm.model


def _linears(lm: LM) -> dict[str, nn.Module]:
    every = _llama(lm).model.layers.named_modules()
    return {f"model.layers.{name}": module for name, module in every if isinstance(module, nn.Linear)}


def _keeper(found: dict[str, Tensor], name: str) -> Callable:
    def keep(module: nn.Module, given: tuple[Tensor]) -> None:
        found[name] = given[0].detach().flatten(0, -2)

    return keep
