"""Forging on the channel: modules that find the harness's session in their process, and answer in its place.

Frames are of `llmlab.harness.wire`. Whatever comes over the channel, the trusted side gives no point for it that was not earned,
says what was wrong, and goes on.
"""

from __future__ import annotations

from tests.adversarial.attack import NONE, Attack

FIND = """
import gc, os, sys, struct, json, threading, time
import torch
from llmlab.harness import wire


def session():
    return next(one for one in gc.get_objects() if type(one).__name__ == "Session")


def raw(text, blob=b"", lengths=None):
    one = session()
    head = struct.pack(">QQ", *(lengths or (len(text), len(blob))))
    one.outward.write(head + text + blob)
    one.outward.flush()


def answers(*values):
    # to a request of one case
    return {"cases": [{"answers": [wire.encode(value) for value in values], "printed": ""}]}


def answer_all(request, value, **more):
    # to every step of every case
    return {"cases": [answers(*[value] * len(steps))["cases"][0] | more for steps in request["cases"]]}


def plain(**items):
    # a dict as the wire writes it
    return json.dumps({"$": "dict", "items": list(items.items())}).encode()


def forge(reply):
    one = session()
    one.run = lambda request: reply(request)


RIGHT = {"value": True, "mutated": [], "random": False}


"""


def forged(name: str, tries: str, reply: str, says: tuple[str, ...] = ("crashed",), seconds: float = 5.0) -> Attack:
    """An attack that finds the harness's session in its process, and answers for it. Nothing is written."""
    return Attack(name, "forging", tries, FIND + reply, NONE, says, base="", seconds=seconds)


TABLES = [
    forged("answers-with-a-verdict", "answers every case itself, with points, a verdict and a status", """
forge(lambda request: answer_all(request, RIGHT | {"points": 99, "ok": True, "verdict": "ok"}, points=99, verdict=True)
      | {"points": 99, "verdict": True, "status": "ok", "earned": 99})
""", ("wrong",)),
    forged("too-many-answers", "answers more steps than were asked", "forge(lambda request: answers(RIGHT, RIGHT, RIGHT))"),
    forged("no-answers", "answers no step", "forge(lambda request: answers())"),
    forged("answers-of-another-kind", "answers that are no frames, no lists, no dicts",
           "forge(lambda request: {'cases': [{'answers': [[1], None, 3.5], 'printed': ''}] * len(request['cases'])})"),
    forged("cases-of-another-kind", "cases that are no lists, no dicts, too many, too few",
           "kinds = iter([3, None, 'abc', [], [1], {}, [None] * 99] * 20)\nforge(lambda request: {'cases': next(kinds)})"),
    forged("answers-of-fewer-cases", "answers the first case of each request only",
           "forge(lambda request: {'cases': answer_all(request, RIGHT)['cases'][:1]})", ("wrong", "crashed")),
    forged("answer-without-its-parts", "answers that lack what they must have",
           "forge(lambda request: answers({'value': 1}))"),
    forged("odd-mutated", "a list of changed arguments that is a number",
           "forge(lambda request: answers({'value': 1, 'mutated': 7, 'random': None}))"),
    forged("no-reply-but-a-list", "a reply that is a list", "forge(lambda request: [1, 2, 3])"),
    forged("unknown-op", "asks the trusted side for something else than a model",
           "forge(lambda request: {'op': 'score', 'points': 3})"),
    forged("model-calls-without-end", "calls a model that is not there, for ever, with big tensors", """
def ask(request):
    one = session()
    while True:
        one.reply({"op": "model", "id": 0, "ids": torch.zeros(1, 1000, dtype=torch.int64), "attention_mask": None})
        one.inward.read(16)
forge(ask)
""", ("timeout",), seconds=0.5),
    forged("length-without-end", "a frame that announces 2**62 bytes",
           "forge(lambda request: raw(b'', b'', (2 ** 62, 2 ** 62)) or answers(RIGHT))"),
    forged("length-past-the-sign", "a frame whose two lengths add up past 2**64",
           "forge(lambda request: raw(b'', b'', (2 ** 64 - 1, 2)) or answers(RIGHT))"),
    forged("truncated-frame", "half a frame, and then the end", """
def cut(request):
    raw(b"{}", b"", (1000, 0))
    os._exit(0)
forge(cut)
"""),
    forged("frame-that-never-ends", "half a frame, and then silence", """
def cut(request):
    raw(b"{}", b"", (1000, 0))
    time.sleep(600)
forge(cut)
""", ("timeout",), seconds=0.5),
    forged("nan-in-the-json", "JSON that is no JSON: NaN, Infinity, -0, 1e999",
           "forge(lambda request: raw(plain(cases=[float('nan'), float('inf'), -0.0], printed=float('nan'))) or answers())"),
    forged("deep-json", "JSON nested a million deep", "forge(lambda request: raw(b'[' * 1_000_000) or answers())"),
    forged("long-number", "an integer of a million digits",
           "forge(lambda request: raw(plain(cases=1, printed=2).replace(b'1]', b'9' * 1_000_000 + b']')) or answers())"),
    forged("tensor-outside-its-frame", "a tensor that points outside of its frame", """
forge(lambda request: raw(json.dumps({"$": "tensor", "dtype": "float32", "shape": [4], "at": 10**6, "n": 16}).encode())
      or answers())
"""),
    forged("tensor-with-a-negative-shape", "tensor shapes of negative, huge and odd sizes", """
shapes = iter([[-1, -4], [2 ** 39, 0], [2 ** 63, 2 ** 63], [True], ["a"], {}, [1] * 100] * 20)
forge(lambda request: raw(json.dumps({"$": "tensor", "dtype": "float32", "shape": next(shapes), "at": 0, "n": 4}).encode(),
                          b"1234") or answers())
"""),
    forged("tensor-of-an-unknown-dtype", "dtypes that name other things of torch", """
forge(lambda request: raw(json.dumps({"$": "tensor", "dtype": "load", "shape": [1], "at": 0, "n": 4}).encode(), b"1234")
      or answers())
"""),
    forged("handles-and-models-back", "sends handles, generators and models back", """
forge(lambda request: raw(plain(cases=[{"$": "model", "id": 0}], printed={"$": "rng", "seed": 1})) or answers())
"""),
    forged("unhashable-keys", "a dict whose keys are lists and tensors",
           "forge(lambda request: raw(json.dumps({'$': 'dict', 'items': [[[1], 2]]}).encode()) or answers())"),
    forged("each-answer-twice", "answers each case twice, so that the next case finds one waiting", """
def twice(request):
    reply = answer_all(request, RIGHT)
    one = session()
    one.reply(reply)
    return reply
forge(twice)
""", ("wrong", "crashed")),
    forged("answers-before-it-is-asked", "fills the channel with answers when the file is read", """
one = session()
for _ in range(50):
    one.reply({"loaded": True})
    one.reply(answers(RIGHT))
""", ("wrong", "crashed")),
    forged("noise-on-the-channel", "writes on every descriptor that takes it", """
for fd in range(3, 64):
    try: os.write(fd, b"PASS" * 1000)
    except OSError: pass
""", ("crashed", "unreadable")),
    forged("closed-channel", "closes every descriptor", "os.closerange(0, 256)\n", ("crashed",)),
    forged("says-it-could-not-be-loaded", "claims that the file cannot be read, with full points in the message", """
one = session()
one.load = one.run = lambda request: {"kind": "ok", "message": "8 of 8 points", "line": 10 ** 4000}
one.reply({"kind": "PASS", "message": "8 of 8 points", "line": -1})
""", ("unreadable",)),
    forged("patched-wire", "replaces the encoder by one that sends what the case would like", """
import llmlab.harness.wire as wire
really = wire.encode
wire.encode = lambda value, **k: really({"cases": [{"answers": [really(RIGHT)], "printed": ""}], "loaded": True})
def top_k(logits, k): return logits
""", ("wrong", "crashed", "unreadable")),
]
