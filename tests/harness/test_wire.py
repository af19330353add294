"""The closed vocabulary: everything in it survives the trip, everything else is refused by name, no frame
breaks the reader.
"""

import enum
import io
import json
import math
import struct
from collections import Counter, OrderedDict, namedtuple

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.checks.protocol import Handle, Model, Rng
from llmlab.harness import wire
from llmlab.harness.candidate import changed
from llmlab.harness.wire import Closed, WireError, decode, encode, receive, send

DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8,
          torch.uint8, torch.bool]


@st.composite
def tensors(draw):
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    dtype = draw(st.sampled_from(DTYPES))
    raw = draw(st.binary(min_size=math.prod(shape) * dtype.itemsize, max_size=math.prod(shape) * dtype.itemsize))
    if not raw:
        return torch.empty(shape, dtype=dtype)
    if dtype is torch.bool:
        return torch.frombuffer(bytearray(raw), dtype=torch.uint8).lt(128).reshape(shape)
    return torch.frombuffer(bytearray(raw), dtype=dtype).reshape(shape)


keys = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.none(), st.tuples(st.integers(), st.text(max_size=3)))
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(exclude_categories=())),
                   st.binary(max_size=20), tensors(), st.builds(Rng, st.integers(0, 2**62)),
                   st.builds(Handle, st.text(max_size=5)))
values = st.recursive(leaves, lambda inner: st.one_of(
    st.lists(inner, max_size=4), st.tuples(inner), st.tuples(inner, inner), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12)


def memory(tensor: torch.Tensor) -> bytes:
    """The bytes of a new row-major tensor of the same values."""
    made = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor.detach())
    return bytes(made.untyped_storage())[:made.numel() * made.element_size()]


def same(a, b) -> bool:
    """Equal in value and exact type, down to the bits of floats."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and memory(a) == memory(b)
    if isinstance(a, float):
        return struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(same(x, y) for x, y in zip(a.values(), b.values(), strict=True))
    return a == b


@settings(max_examples=150, deadline=None)
@given(values)
def test_every_value_of_the_vocabulary_survives_the_trip(value):
    assert same(decode(encode(value)), value)
    assert same(decode(encode(value, lenient=True)), value)


GRID = torch.arange(60.0).reshape(2, 30)


@pytest.mark.parametrize("odd", [
    torch.as_strided(GRID, (1,), (30,)), torch.as_strided(GRID, (1, 1), (7, 9)), torch.as_strided(GRID, (1, 3), (30, 1)),
    GRID[:1, 5:6].t(), GRID[:, 3], GRID[:0], torch.ones(1, 1).expand(4, 5), torch.ones(3, requires_grad=True),
    torch.view_as_complex(torch.ones(3, 2)).conj().imag, GRID.t(), torch.tensor(3.0)], ids=range(11))
@pytest.mark.parametrize("dtype", [None, torch.int64, torch.bfloat16, torch.bool])
def test_whatever_its_strides_a_tensor_arrives_as_its_values(odd, dtype):
    """A tensor of one element may have any strides and yet be called contiguous."""
    given_ = odd if dtype is None else torch.as_strided(odd.detach().to(dtype), odd.shape, odd.detach().to(dtype).stride())
    assert same(decode(encode(given_, lenient=True)), given_.detach())
    assert changed(given_, given_.detach() + 1) == (odd.numel() > 0 or dtype is torch.bool) and not changed(given_, given_.detach().clone())


@settings(max_examples=60, deadline=None)
@given(tensors(), st.integers(0, 3))
def test_strided_views_arrive_as_their_values(tensor, turn):
    view = tensor.t() if tensor.dim() == 2 else tensor.movedim(0, -1) if tensor.dim() > 2 else tensor.flip(0) if tensor.dim() else tensor
    got = decode(encode(view))
    assert got.shape == view.shape and wire.tensor_bytes(got) == wire.tensor_bytes(view.contiguous())


def test_a_decoded_tensor_owns_its_memory():
    given_ = torch.zeros(3)
    got = decode(encode(given_))
    got += 1
    assert given_.tolist() == [0, 0, 0] and not got.requires_grad


class Sub(torch.Tensor):
    pass


class Color(enum.IntEnum):
    RED = 7


@pytest.mark.parametrize(("value", "becomes"), [
    (numpy.float32(1.5), 1.5), (numpy.int64(3), 3), (numpy.bool_(True), True), (numpy.str_("a"), "a"),
    (OrderedDict(a=1), {"a": 1}), (Counter("aab"), {"a": 2, "b": 1}), (namedtuple("P", "x y")(1, 2), (1, 2)),
    (Color.RED, 7), (bytearray(b"x"), b"x")])
def test_a_student_may_return_relatives_of_plain_values(value, becomes):
    got = decode(encode(value, lenient=True))
    assert got == becomes and type(got) is type(becomes)


def test_a_student_may_return_numpy_arrays_and_subclasses_of_tensors():
    array = numpy.arange(6, dtype=numpy.float32).reshape(2, 3)
    assert same(decode(encode(array, lenient=True)), torch.arange(6, dtype=torch.float32).reshape(2, 3))
    assert same(decode(encode(array.T, lenient=True)), torch.from_numpy(array.T.copy()))
    assert same(decode(encode(torch.ones(2).as_subclass(Sub), lenient=True)), torch.ones(2))
    assert same(decode(encode(torch.nn.Parameter(torch.ones(2)), lenient=True)), torch.ones(2))


@pytest.mark.parametrize("value", [
    numpy.float32(1), numpy.ones(2), torch.ones(2).as_subclass(Sub), OrderedDict(), Color.RED, {1, 2}, object(), len, 1j,
    range(3), Model(lambda i, m: i, 3)], ids=lambda value: type(value).__name__)
def test_the_trusted_side_sends_exact_types_only(value):
    with pytest.raises(WireError, match=rf"{type(value).__name__}|Model"):
        encode(value)


@pytest.mark.parametrize(("value", "says"), [
    (object(), "type object"), (lambda: 1, "type function"), ({1, 2}, "type set"), (1j, "type complex"),
    (numpy.array(["a"], dtype=object), "dtype object"), (numpy.ones(2, dtype=numpy.complex64), "complex64"),
    (torch.ones(2, dtype=torch.complex64), "complex64"), (torch.ones(2).to_sparse(), "layout"),
    (torch.ones(2, device="meta"), "meta"), (10**5_000, "4096 bits"), (torch.ones(1).expand(2**27, 2), "larger than")],
    ids=lambda value: type(value).__name__)
def test_what_no_student_may_return_is_refused_by_name(value, says):
    with pytest.raises(WireError, match=says):
        encode(value, lenient=True)


def test_depth_and_number_of_items_are_bounded():
    deep: list = []
    for _ in range(100):
        deep = [deep]
    looped: list = []
    looped.append(looped)
    for value in (deep, looped, [0] * 1_000_001):
        with pytest.raises(WireError, match="nested too deep or has too many items"):
            encode(value)


def frame(data, blob=b"") -> bytes:
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return struct.pack(">QQ", len(text), len(blob)) + text + blob


FORGED = {
    "a shape that overflows": {"$": "tensor", "dtype": "float32", "shape": [2**39, 2**39, 0], "at": 0, "n": 0},
    "more elements than bytes": {"$": "tensor", "dtype": "float32", "shape": [2**39], "at": 0, "n": 4},
    "negative shape": {"$": "tensor", "dtype": "float32", "shape": [-1], "at": 0, "n": 4},
    "boolean shape": {"$": "tensor", "dtype": "uint8", "shape": [True], "at": 0, "n": 1},
    "unknown dtype": {"$": "tensor", "dtype": "quint8", "shape": [1], "at": 0, "n": 1},
    "dtype of a list": {"$": "tensor", "dtype": [], "shape": [1], "at": 0, "n": 1},
    "no shape": {"$": "tensor", "dtype": "uint8", "at": 0, "n": 1},
    "many dimensions": {"$": "tensor", "dtype": "uint8", "shape": [1] * 100, "at": 0, "n": 1},
    "bytes outside of the frame": {"$": "bytes", "at": 0, "n": 2**40},
    "bytes before the frame": {"$": "bytes", "at": -8, "n": 8},
    "bytes at a float": {"$": "bytes", "at": 0.0, "n": 1},
    "an unhashable key": {"$": "dict", "items": [[[1], 2]]},
    "a dict of singles": {"$": "dict", "items": [1, 2]},
    "a dict without items": {"$": "dict"},
    "a tuple of a number": {"$": "tuple", "items": 3},
    "a bare object": {"a": 1},
    "an unknown kind": {"$": "pickle", "data": "gASV"},
    "a model, where none may come": {"$": "model", "id": 0},
    "a seed that is none": {"$": "rng", "seed": "1"},
    "a handle without a name": {"$": "handle", "name": 5},
    "deep lists": json.loads("[" * 200 + "]" * 200),
    "text that is no JSON": b"{",
    "text that is no UTF-8": b'"\xff\xfe"',
    "JSON too deep to read": b"[" * 200_000,
    "a number too long to read": b"9" * 100_000,
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_frame_is_refused(name):
    with pytest.raises(WireError):
        decode(frame(FORGED[name], b"\0" * 8))


def test_odd_bytes_in_a_bool_tensor_become_true():
    got = decode(frame({"$": "tensor", "dtype": "bool", "shape": [3], "at": 0, "n": 3}, b"\x00\x02\xff"))
    assert got.tolist() == [False, True, True] and wire.tensor_bytes(got) == b"\x00\x01\x01"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw):
    for data in (raw, frame(raw, raw)):
        try:
            decode(data)
        except WireError:
            continue


@settings(max_examples=80, deadline=None)
@given(values, st.data())
def test_a_truncated_or_padded_frame_is_refused(value, data):
    whole = encode(value)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for broken in (whole[:cut], whole + b"\0"):
        with pytest.raises(WireError):
            decode(broken)
    with pytest.raises(Closed):
        receive(io.BytesIO(whole[:cut]))


def test_frames_follow_each_other_on_a_stream():
    stream = io.BytesIO()
    send(stream, encode([1]))
    send(stream, encode({"a": torch.ones(2)}))
    stream.seek(0)
    assert decode(receive(stream)) == [1]
    assert decode(receive(stream))["a"].tolist() == [1, 1]
    with pytest.raises(Closed):
        receive(stream)


def test_an_announced_flood_is_refused_before_it_is_read():
    with pytest.raises(WireError, match="too large"):
        receive(io.BytesIO(struct.pack(">QQ", 2**60, 0)))


def test_sending_to_nobody_is_told():
    stream = io.BytesIO()
    stream.close()
    with pytest.raises(Closed):
        send(stream, b"x")
