"""The closed vocabulary between the trusted side and the student's process, as bytes. No pickle.

A frame is two 8-byte lengths, a JSON text, and one block of raw bytes that tensors and byte strings point into.
What may cross: None, bool, int, float, str, bytes, dense CPU tensors, lists, tuples, dicts, an `Rng`, a `Handle`,
and in one direction the name of a trusted callback or object. Everything else is refused by name.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from itertools import chain
from typing import Any, BinaryIO

import torch

from llmlab.checks.protocol import Handle, Model, Remote, Rng
from llmlab.harness.spawn import Closed

MAX_FRAME = 64 * 2**20
MAX_TEXT = 8 * 2**20
MAX_DEPTH = 24
MAX_ITEMS = 1_000_000
_HEAD = struct.Struct(">QQ")
Number = Callable[[Model | Remote], int]
"""Gives a trusted callback the number by which it crosses."""
StandIn = Callable[[int, list[str] | None, dict | None], Any]
"""Makes what stands for number n on the other side: a function (None, None), or an object of these methods and facts."""
_DTYPES = {str(d).removeprefix("torch."): d for d in (
    torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
    torch.uint8, torch.bool)}


class WireError(ValueError):
    """A value or a frame is not of the closed vocabulary; the message says which and what is allowed."""


def plain_bytes(value: torch.Tensor) -> torch.Tensor | None:
    """The memory of a tensor as uint8 (bytes,), shared; None if it is not plain row-major memory of this process.

    A tensor of one element may be called contiguous whatever its strides are: then it is not plain either.
    """
    dense = value.device.type == "cpu" and value.is_contiguous() and not value.requires_grad and not value.is_neg()
    flat = value.reshape(-1) if dense and value.numel() else None
    return flat.view(torch.uint8) if flat is not None and flat.stride(0) == 1 else None


def tensor_bytes(value: torch.Tensor) -> bytes:
    """The raw bytes of a dense tensor, in row-major order."""
    plain = plain_bytes(value.detach())
    if plain is not None:
        return plain.numpy().tobytes()
    flat = value.detach().cpu().clone(memory_format=torch.contiguous_format).reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""


def _dtype(name: str) -> torch.dtype:
    try:
        return _DTYPES[name]
    except (KeyError, TypeError):
        raise WireError(f"dtype {name!r} is not one of {', '.join(_DTYPES)}") from None


def token_ids(items: list) -> list[int] | None:
    """The ints of a list of ints, or of a list of such lists, in order; None if there is anything else in it.

    >>> token_ids([[1, 2], [3]]), token_ids([1, True])
    ([1, 2, 3], None)
    """
    kinds = set(map(type, items))
    if kinds == {list}:
        items = list(chain.from_iterable(items))
        kinds = set(map(type, items))
    return items if kinds <= {int} else None


_CELLS = {int, str, float, bool, type(None)}


def table_rows(items: list) -> list[list] | None:
    """Tuples of plain cells (numbers, strings, lists of ints) as lists, as JSON keeps them; None if anything else is in it.

    >>> table_rows([([1, 2], "eos"), ([3], "length")])
    [[[1, 2], 'eos'], [[3], 'length']]
    """
    if set(map(type, items)) != {tuple}:
        return None
    cells = list(chain.from_iterable(items))
    kinds = set(map(type, cells))
    if list in kinds and token_ids([cell for cell in cells if type(cell) is list]) is None:
        return None
    return list(map(list, items)) if kinds - {list} <= _CELLS else None


class _Packer:
    """Turns a value into JSON-ready data, collecting raw bytes on the side."""

    def __init__(self, lenient: bool, callback: Number | None):
        self.lenient, self.callback = lenient, callback
        self.blob, self.items = bytearray(), 0

    def _bytes(self, raw: bytes) -> dict:
        at = len(self.blob)
        self.blob += raw
        if len(self.blob) > MAX_FRAME:
            raise WireError(f"the value is larger than {MAX_FRAME // 2**20} MiB")
        return {"at": at, "n": len(raw)}

    def pack(self, value: Any, depth: int = 0) -> Any:
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise WireError("the value is nested too deep or has too many items")
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind is int:
            if value.bit_length() > 4_096:
                raise WireError("an integer of more than 4096 bits")
            return value
        if kind is float:
            return value
        if isinstance(value, torch.Tensor) and (kind is torch.Tensor or self.lenient):
            return self._tensor(value)
        if kind in (bytes, bytearray):
            return {"$": "bytes", **self._bytes(bytes(value))}
        if kind is list:
            if self._plain(value):
                return value
            rows = self._rows(value)
            if rows is not None:
                return {"$": "tuples", "items": rows}
            return [self.pack(item, depth + 1) for item in value]
        if kind is tuple:
            return {"$": "tuple", "items": [self.pack(item, depth + 1) for item in value]}
        if kind is dict:
            return {"$": "dict", "items": [[self.pack(k, depth + 1), self.pack(v, depth + 1)] for k, v in value.items()]}
        if kind is Rng:
            return {"$": "rng", "seed": value.seed}
        if kind is Handle:
            return {"$": "handle", "name": value.name}
        if kind is Model and self.callback:
            return {"$": "model", "id": self.callback(value)}
        if kind is Remote and self.callback:
            return {"$": "remote", "id": self.callback(value), "methods": list(value.methods),
                    "facts": self.pack(dict(value.facts), depth + 1)}
        if self.lenient:
            return self._lenient(value, depth)
        raise WireError(f"a value of type {kind.__name__} cannot cross; allowed are numbers, strings, bytes, tensors, "
                        "lists, tuples and dicts")

    def _plain(self, items: list) -> bool:
        """True if a list can go as it is. It only saves time; `pack` would give the same."""
        ids = token_ids(items)
        if ids is None or (ids and max(max(ids), -min(ids)) >= 2**63):
            return False
        self.items += len(ids) + len(items)
        return self.items <= MAX_ITEMS

    def _rows(self, items: list) -> list[list] | None:
        """The same for a list of tuples."""
        rows = table_rows(items) if len(items) > 1 else None
        if rows is None:
            return None
        numbers = [cell for row in rows for cell in row if type(cell) is int]
        numbers += chain.from_iterable(cell for row in rows for cell in row if type(cell) is list)
        self.items += len(numbers) + 2 * len(items)
        fits = not numbers or max(max(numbers), -min(numbers)) < 2**63
        return rows if fits and self.items <= MAX_ITEMS else None

    def _tensor(self, value: torch.Tensor) -> dict:
        if value.layout != torch.strided or value.device.type == "meta":
            raise WireError(f"a tensor of layout {value.layout} on {value.device}; return a dense one")
        if value.is_quantized:
            raise WireError("a quantized tensor; return its integer values and scales")
        name = str(value.dtype).removeprefix("torch.")
        _dtype(name)
        if value.numel() * value.element_size() > MAX_FRAME:
            raise WireError(f"a tensor of shape {tuple(value.shape)} is larger than {MAX_FRAME // 2**20} MiB")
        return {"$": "tensor", "dtype": name, "shape": list(value.shape), **self._bytes(tensor_bytes(value))}

    def _lenient(self, value: Any, depth: int) -> Any:
        """What a student may return besides: numpy arrays and scalars, subclasses of plain types, ranges."""
        if type(value).__module__.partition(".")[0] == "numpy":
            import numpy

            if isinstance(value, numpy.generic):
                return self.pack(value.item(), depth)
            if isinstance(value, numpy.ndarray):
                try:
                    tensor = torch.from_numpy(numpy.ascontiguousarray(value).reshape(value.shape))
                except TypeError:
                    raise WireError(f"a numpy array of dtype {value.dtype} cannot be read") from None
                return self._tensor(tensor)
        for plain in (bool, int, float, str, bytes):
            if isinstance(value, plain):
                return self.pack(plain(value), depth)
        for plain in (list, tuple, dict):
            if isinstance(value, plain):
                return self.pack(plain(value), depth)
        raise WireError(f"a value of type {type(value).__name__} cannot be read; return numbers, strings, bytes, "
                        "tensors, lists, tuples or dicts of these")


def _unpack(data: Any, blob: _Block, callback: StandIn | None, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        raise WireError("the value is nested too deep")
    if isinstance(data, list):
        if token_ids(data) is not None:
            return data
        return [_unpack(item, blob, callback, depth + 1) for item in data]
    if not isinstance(data, dict):
        return data
    kind = data.get("$")
    if kind == "bytes":
        return bytes(blob.take(data))
    if kind == "tensor":
        return _read_tensor(data, blob)
    if kind == "tuple" and isinstance(data.get("items"), list):
        return tuple(_unpack(item, blob, callback, depth + 1) for item in data["items"])
    if kind == "tuples" and isinstance(data.get("items"), list):
        return _tuples(data["items"])
    if kind == "dict" and isinstance(data.get("items"), list):
        try:
            return {_unpack(k, blob, callback, depth + 1): _unpack(v, blob, callback, depth + 1) for k, v in data["items"]}
        except (TypeError, ValueError) as error:
            raise WireError(f"a dict cannot be read: {error}") from None
    if kind == "rng" and type(data.get("seed")) is int:
        return Rng(data["seed"])
    if kind == "handle" and type(data.get("name")) is str:
        return Handle(data["name"])
    if kind == "model" and callback and type(data.get("id")) is int:
        return callback(data["id"], None, None)
    if kind == "remote" and callback and type(data.get("id")) is int:
        return callback(data["id"], data["methods"], _unpack(data["facts"], blob, callback, depth + 1))
    raise WireError(f"unknown kind of value {kind!r}")


def _tuples(items: list) -> list[tuple]:
    """Rows as `table_rows` makes them, as tuples again. Raises WireError for anything else in them."""
    if set(map(type, items)) - {list} or table_rows(made := list(map(tuple, items))) is None:
        raise WireError("a table of tuples cannot be read")
    return made


class _Block:
    """The raw bytes of a frame. What values take from it adds up to its size at most: no byte is worth two."""

    def __init__(self, view: memoryview):
        self.view, self.left = view, len(view)

    def take(self, data: dict) -> memoryview:
        at, n = data.get("at"), data.get("n")
        if type(at) is not int or type(n) is not int or at < 0 or n < 0 or at + n > len(self.view):
            raise WireError("a value points outside of its frame")
        self.left -= n
        if self.left < 0:
            raise WireError("values of the frame share their bytes")
        return self.view[at:at + n]


def _read_tensor(data: dict, blob: _Block) -> torch.Tensor:
    dtype, shape, raw = _dtype(data.get("dtype")), data.get("shape"), blob.take(data)
    if not isinstance(shape, list) or len(shape) > 16 or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise WireError(f"tensor shape {shape!r} cannot be read")
    count = 1
    for n in shape:
        count *= n
    if count * dtype.itemsize != len(raw):
        raise WireError(f"a tensor of shape {shape} does not have {len(raw)} bytes")
    try:
        if not count:
            return torch.empty(shape, dtype=dtype)
        if dtype is torch.bool:  # any other byte than 0 and 1 would be neither true nor false
            return torch.frombuffer(bytearray(raw), dtype=torch.uint8).ne(0).reshape(shape)
        return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape)
    except (RuntimeError, ValueError) as error:
        raise WireError(f"tensor shape {shape!r} cannot be read: {error}") from None


def encode(value: Any, *, lenient: bool = False, callback: Number | None = None) -> bytes:
    """One frame. `lenient` (the student's side) also takes numpy values and subclasses. Raises WireError.

    >>> decode(encode({"a": (1, 2.5), "b": torch.arange(2)}))
    {'a': (1, 2.5), 'b': tensor([0, 1])}
    """
    packer = _Packer(lenient, callback)
    text = json.dumps(packer.pack(value)).encode()
    return b"".join((_HEAD.pack(len(text), len(packer.blob)), text, packer.blob))


def decode(frame: bytes, *, callback: StandIn | None = None) -> Any:
    """The value of one frame; tensors own their memory. Raises WireError."""
    if len(frame) < _HEAD.size:
        raise WireError("the frame is too short")
    text, blob = _HEAD.unpack_from(frame)
    if _HEAD.size + text + blob != len(frame):
        raise WireError("the frame's lengths do not add up")
    view = memoryview(frame)[_HEAD.size:]
    raw = bytes(view[:text])
    if raw.count(b"[") + raw.count(b"{") > MAX_ITEMS // 2:  # counted before anything is made of it
        raise WireError("the value has too many parts")
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise WireError(f"the frame is not readable: {error}") from None
    return _unpack(data, _Block(view[text:]), callback)


def send(stream: BinaryIO, frame: bytes) -> None:
    """Write a frame. Raises Closed if nobody reads any more."""
    try:
        stream.write(frame)
        stream.flush()
    except (OSError, ValueError) as error:
        raise Closed(str(error)) from None


def receive(stream: BinaryIO, most_text: int = MAX_TEXT, most_blob: int = MAX_FRAME) -> bytes:
    """Read one whole frame. Raises Closed at the end of the stream, WireError if it announces more bytes than these."""
    head = _exactly(stream, _HEAD.size)
    text, blob = _HEAD.unpack(head)
    if text > most_text or blob > most_blob:
        raise WireError(f"a frame of {text + blob} bytes is too large")
    return head + _exactly(stream, text + blob)


def _exactly(stream: BinaryIO, n: int) -> bytes:
    parts = bytearray()
    while len(parts) < n:
        try:
            part = stream.read(n - len(parts))
        except (OSError, ValueError) as error:
            raise Closed(str(error)) from None
        if not part:
            raise Closed("the other side is gone")
        parts += part
    return bytes(parts)
