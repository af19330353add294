"""The student's side of the harness: loads one module from bytes and carries out steps.

It gets inputs and gives back plain values. It has no expected value, no hidden case and no say in the verdict.
What the student prints is kept (bounded) and handed back for display.
"""

from __future__ import annotations

import io
import linecache
import os
import sys
import tempfile
import traceback
import types
from typing import Any, BinaryIO

import torch

from llmlab.checks.protocol import Call, Do, Handle, New, Rng
from llmlab.harness import wire

PRINTED = 4_000
CACHES = ("MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")
"""Variables that name a library's folder for its caches."""
CONFINED = ". Your code is checked where it may not write files, start processes or use the network"


class Printed(io.TextIOBase):
    """Stands in for stdout and stderr: keeps the first characters, swallows the rest, never fails."""

    def __init__(self):
        self.parts, self.left = [], PRINTED

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.left > 0:
            self.parts.append(text[:self.left])
            self.left -= len(text)
        return len(text)

    def take(self) -> str:
        text = "".join(self.parts) + ("\n[output cut here]" if self.left < 0 else "")
        self.parts, self.left = [], PRINTED
        return text


class Session:
    """One module of one student, and the objects made of it."""

    def __init__(self, inward: BinaryIO, outward: BinaryIO):
        self.inward, self.outward, self.printed = inward, outward, Printed()
        self.module: types.ModuleType | None = None
        self.objects: dict[str, Any] = {}
        self.file = ""

    def reply(self, value: Any) -> None:
        try:
            frame = wire.encode(value, lenient=True)
        except Exception as error:  # a WireError, or whatever the student's own object does when it is read
            frame = wire.encode({"kind": "TypeError", "message": f"The result cannot be read: {error}.", "line": None})
        wire.send(self.outward, frame)

    def asked(self, name: str, question: dict) -> Any:
        """The trusted side's answer. Raises ValueError if the question has values that cannot cross."""
        try:
            frame = wire.encode(question, lenient=True)
        except Exception as error:  # a WireError, or whatever the student's own object does when it is read
            raise ValueError(f"{name} was given what cannot be read: {error}") from None
        wire.send(self.outward, frame)
        return wire.decode(wire.receive(self.inward))

    def given(self, number: int, methods: list[str] | None, facts: dict | None):
        """What stands for a trusted callback: a function, or an object with its methods and facts."""
        if methods is None:
            return self.model(number)
        return types.SimpleNamespace(**facts, **{name: self.method(number, name) for name in methods})

    def method(self, number: int, name: str):
        """The function that stands for a method of a trusted object."""
        def method(*args, **kwargs):
            answer = self.asked(name, {"op": "call", "id": number, "method": name, "args": list(args), "kwargs": kwargs})
            if "error" in answer:
                raise ValueError(answer["error"])
            return answer["value"]
        method.__name__ = method.__qualname__ = name
        return method

    def model(self, number: int):
        """The callable that stands for a trusted model."""
        def model(ids, attention_mask=None):
            """Next-token logits (B, vocab) for ids (B, T) int64; the mask (B, T) is 1 on real tokens, 0 on padding."""
            answer = self.asked("model", {"op": "model", "id": number, "ids": ids, "attention_mask": attention_mask})
            if isinstance(answer, str):
                raise ValueError(answer)
            return answer
        return model

    def failure(self, error: BaseException) -> dict:
        line = None
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename == self.file:
                line = frame.lineno
        if isinstance(error, SyntaxError) and error.filename == self.file:
            line = error.lineno
        message = str(error)[:1_000] + (CONFINED if isinstance(error, PermissionError) else "")
        return {"kind": type(error).__name__, "message": message, "line": line}

    def load(self, request: dict) -> dict:
        """Compile and run the module's source. Any name it takes is `llmlab.<module>`."""
        name, self.file = f"llmlab.{request['module']}", request["file"]
        try:
            text = request["source"]
            linecache.cache[self.file] = (len(text), None, text.decode("utf-8", "replace").splitlines(True), self.file)
            module = types.ModuleType(name)
            module.__file__ = self.file
            sys.modules[name] = module
            exec(compile(text, self.file, "exec"), module.__dict__)
        except BaseException as error:  # SystemExit and KeyboardInterrupt of the student's file are failures like others
            return self.failure(error)
        self.module = module
        return {"loaded": True}

    def value(self, value: Any) -> Any:
        """An argument as the student sees it: generators and objects made, the rest a copy of what came."""
        if isinstance(value, Rng):
            return torch.Generator().manual_seed(value.seed)
        if isinstance(value, Handle):
            return self.objects[value.name]
        if isinstance(value, torch.Tensor):
            return value.clone()
        if isinstance(value, list):
            if wire.token_ids(value) is not None:
                return [list(item) for item in value] if value and type(value[0]) is list else list(value)
            return [self.value(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self.value(item) for item in value)
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def target(self, step) -> Any:
        if isinstance(step, Do):
            if step.method.startswith("_"):
                raise AttributeError(f"{step.method} is private")
            return getattr(self.objects[step.name], step.method)
        name = step.function if isinstance(step, Call) else step.cls
        found = getattr(self.module, name, None)
        if not callable(found):
            raise NameError(f"{self.module.__name__} has no {'function' if isinstance(step, Call) else 'class'} {name!r}. "
                            "Keep the names of the scaffold.")
        return found

    def step(self, step) -> dict:
        """Carry out one step: its value and the arguments it changed, or what it raised."""
        try:
            given = [self.value(item) for item in step.args]
            named = {key: self.value(item) for key, item in step.kwargs.items()}
            state = torch.random.get_rng_state()
            value = self.target(step)(*given, **named)
            random = not torch.equal(torch.random.get_rng_state(), state)
            if isinstance(step, New):
                self.objects[step.name] = value
                value = None
        except BaseException as error:
            return self.failure(error)
        pairs = [(f"argument {i + 1}", a, b) for i, (a, b) in enumerate(zip(step.args, given, strict=True))]
        pairs += [(key, step.kwargs[key], named[key]) for key in named]
        return {"value": value, "pairs": pairs, "random": random}

    def case(self, steps: list[bytes]) -> dict:
        """Carry out the steps of a case, one answer each; the steps after a failed one are not tried."""
        answers = []
        for frame in steps:
            done = self.step(_step(wire.decode(frame, callback=self.given)))
            if "pairs" in done:
                done["mutated"] = [name for name, came, now in done.pop("pairs") if changed(came, now)]
            try:
                frame = wire.encode(done, lenient=True)
            except Exception as error:  # a WireError, or whatever the student's own object does when it is read
                done = {"kind": "TypeError", "message": f"The result cannot be read: {error}.", "line": None}
                frame = wire.encode(done)
            answers.append(frame)
            if "kind" in done:
                break
        return {"answers": answers, "printed": self.printed.take()}

    def run(self, request: dict) -> dict:
        """Carry out the cases of a request, in order."""
        return {"cases": [self.case(steps) for steps in request["cases"]]}

    def serve(self) -> None:
        """Answer requests until the other side closes."""
        while True:
            request = wire.decode(wire.receive(self.inward))
            if request["op"] == "load":
                self.reply(self.load(request))
            else:
                self.reply(self.run(request))


def changed(before: Any, now: Any) -> bool:
    """True if a tensor or a container of plain values differs from what was given."""
    if isinstance(before, torch.Tensor):
        if not isinstance(now, torch.Tensor) or now.shape != before.shape or now.dtype != before.dtype:
            return True
        a, b = wire.plain_bytes(before), wire.plain_bytes(now)
        if a is not None and b is not None:
            return not torch.equal(a, b)  # bytes, so NaN equals NaN
        return wire.tensor_bytes(now) != wire.tensor_bytes(before)
    if isinstance(before, list) and wire.token_ids(before) is not None:
        return type(now) is not list or wire.token_ids(now) is None or before != now
    if isinstance(before, (list, tuple)):
        return type(now) is not type(before) or len(before) != len(now) or any(changed(a, b) for a, b in zip(before, now, strict=True))
    if isinstance(before, dict):
        return type(now) is not dict or before.keys() != now.keys() or any(changed(before[key], now[key]) for key in before)
    if isinstance(before, (bool, int, float, str, bytes, type(None))):
        return type(now) is not type(before) or (now != before and before == before)  # NaN is as it was
    return False


def _step(data: dict):
    """A step from its plain form, as `runner` sent it."""
    kind = {"Call": Call, "New": New, "Do": Do}[data["kind"]]
    return kind(*data["names"], args=data["args"], kwargs=data["kwargs"])


def prepare() -> None:
    """Called before any student code: libraries that look for a folder to write to find one by name. It cannot be written."""
    tempfile.tempdir = os.getcwd()
    os.environ |= dict.fromkeys(CACHES, os.getcwd())


def main(inward: BinaryIO, outward: BinaryIO) -> None:
    """Serve one candidate on these two streams, with the student's output kept apart from them."""
    torch.set_num_threads(1)
    session = Session(inward, outward)
    sys.stdout = sys.stderr = session.printed
    sys.stdin = io.StringIO("")
    try:
        session.serve()
    except wire.Closed:
        pass


if __name__ == "__main__":  # a process of its own, for systems without fork
    inward, outward = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    prepare()
    main(inward, outward)
