"""The trusted side of callbacks: answers what student code asks of a `Model` or a `Remote` while its cases run.

Every question is validated, counted and recorded for the judge. What is wrong with a question is told to the student as a
ValueError. It judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from llmlab.checks.compare import show
from llmlab.checks.protocol import Event, Model, Remote
from llmlab.harness import wire

MAX_IDS = 2**18
"""Ids in one model call: 64 rows of 4,096. More would take this process's memory, not the candidate's."""
MAX_IDS_OF_CASE = 2**23
"""Ids in all model calls of a case: they are kept for the judge, 16 bytes each with the mask."""
MAX_BYTES_OF_CASE = 2**27
"""Bytes that all calls of trusted objects in a case may carry, questions and answers together."""


class Serving:
    """The callbacks of one run of some cases. `seen` is what was asked: the object's number, and what the judge will see.

    Which object a question names is the student's choice; which case the object belongs to is not (`requests.Request`).
    """

    def __init__(self, given: Sequence[Model | Remote] = ()):
        self.given = given
        self.seen: list[tuple[int, Event]] = []
        self.calls = [0] * len(given)
        self.objects: dict[int, Any] = {}
        self.ids = self.bytes = 0

    def of(self, owners: Sequence[int], case: int) -> list[Event]:
        """What was asked of one case's objects, in order."""
        return [event for number, event in self.seen if owners[number] == case]

    def answer(self, question: dict, size: int) -> bytes | None:
        """The frame that answers a question of `size` bytes; None if it is not a question but the candidate's result."""
        op = question.get("op")
        if op not in ("model", "call"):
            return None
        number, kind = question.get("id"), Model if op == "model" else Remote
        if type(number) is not int or not 0 <= number < len(self.given) or not isinstance(self.given[number], kind):
            problem = f"{op}: there is no such trusted object"
            return wire.encode(problem if kind is Model else {"error": problem})
        self.calls[number] += 1
        if kind is Model:
            return wire.encode(self._model(number, self.given[number], question.get("ids"), question.get("attention_mask")))
        self.bytes += size
        frame = wire.encode(self._call(number, self.given[number], question))
        self.bytes += len(frame)
        return frame

    def _model(self, number: int, model: Model, ids: Any, mask: Any) -> torch.Tensor | str:
        """Logits, or what is wrong with the question."""
        if self.calls[number] > model.max_calls:
            return f"model: called more than {model.max_calls} times"
        if not isinstance(ids, torch.Tensor) or ids.dtype != torch.int64 or ids.dim() != 2 or 0 in ids.shape:
            return f"model: ids must be a tensor (B, T) of int64, got {show(ids)}"
        if ids.numel() > MAX_IDS:
            return f"model: at most {MAX_IDS} ids (rows times columns), got shape {tuple(ids.shape)}"
        if ids.shape[1] > model.max_length:
            return f"model: at most {model.max_length} columns, got shape {tuple(ids.shape)}"
        low, high = int(ids.numpy().min()), int(ids.numpy().max())
        if low < 0 or high >= model.vocab:
            return f"model: ids must lie in 0..{model.vocab - 1}, got {low}..{high}"
        if mask is None:
            mask = torch.ones_like(ids)
        if not isinstance(mask, torch.Tensor) or mask.shape != ids.shape:
            return f"model: attention_mask must have the shape of ids {tuple(ids.shape)}, got {show(mask)}"
        mask = (mask != 0).to(torch.int64)
        self.ids += ids.numel()
        if self.ids > MAX_IDS_OF_CASE:
            return f"model: more than {MAX_IDS_OF_CASE} ids in all calls of this case"
        self.seen.append((number, Event("model", {"ids": ids, "attention_mask": mask})))
        return model.fn(ids, mask)

    def _call(self, number: int, remote: Remote, question: dict) -> dict:
        """The value of a method of a trusted object, or what is wrong with the call."""
        method, args, kwargs = question.get("method"), question.get("args"), question.get("kwargs")
        if self.calls[number] > remote.max_calls:
            return {"error": f"{remote.name}: called more than {remote.max_calls} times"}
        if self.bytes > MAX_BYTES_OF_CASE:
            return {"error": f"{remote.name}: more than {MAX_BYTES_OF_CASE // 2**20} MiB in all calls of this case"}
        if method not in remote.methods or not isinstance(args, list) or not isinstance(kwargs, dict):
            return {"error": f"{remote.name} has no method {method!r}; there are {', '.join(remote.methods)}"}
        if number not in self.objects:
            self.objects[number] = remote.make()
        seen = {"method": method, "args": args, "kwargs": kwargs}
        self.seen.append((number, Event(remote.name, seen)))
        try:
            value = getattr(self.objects[number], method)(*args, **kwargs)
        except Exception as error:  # whatever a student's arguments do to it is the student's to hear
            return {"error": f"{remote.name}.{method}: {str(error)[:500]}"}
        seen["value"] = value
        return {"value": value}
