"""A trusted object in student code: its methods run on the trusted side, are counted, and its state is not the student's."""

import re
from types import SimpleNamespace

import pytest
import torch

from llmlab.checks.protocol import PASS, Call, Case, Do, Handle, New, Remote, Verdict
from llmlab.harness.serving import MAX_BYTES_OF_CASE
from tests.harness.toys import TASK


class Till:
    """Adds up what it is given."""

    def __init__(self):
        self.total = 0

    def put(self, amount: int) -> int:
        if type(amount) is not int:
            raise TypeError(f"an amount is an int, got {type(amount).__name__}")
        self.total += amount
        return self.total

    def doubled(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor * 2

    def secret(self) -> str:
        return "not for students"


def till(**named) -> Remote:
    return Remote("till", Till, ("put", "doubled"), {"currency": "token", "sizes": [1, 2]}, **named)


def check(harness, source: str, case: Case, judge) -> object:
    found = harness.check_source("decoding", source.encode(), "decoding.py", [TASK], [case],
                                 SimpleNamespace(judge=judge))
    return found.tasks[0]


def case_of(remote: Remote, *more) -> Case:
    return Case("decoding.f", "g", (Call("f", (remote, *more)),))


def test_methods_run_on_the_trusted_side_and_are_recorded(harness):
    seen = []

    def judge(case, outputs, events):
        seen.extend((outputs, events))
        return PASS

    source = "def f(till):\n    till.put(2)\n    return [till.put(amount=3), till.currency, till.sizes]\n"
    assert check(harness, source, case_of(till()), judge).status == "ok"
    outputs, events = seen
    assert outputs[0].value == [5, "token", [1, 2]] and not outputs[0].mutated
    assert [(event.kind, dict(event.data)) for event in events] == [
        ("till", {"method": "put", "args": [2], "kwargs": {}, "value": 2}),
        ("till", {"method": "put", "args": [], "kwargs": {"amount": 3}, "value": 5})]


def test_each_run_has_a_new_object_and_the_steps_of_a_case_share_it(harness):
    got = []

    def judge(case, outputs, events):
        got.append([output.value for output in outputs])
        return PASS

    one = till()
    source = ("class Box:\n    def __init__(self, till):\n        self.till = till\n    def put(self, n):\n"
              "        return self.till.put(n)\ndef f(till, box=None):\n    return till.put(10)\n")
    case = Case("decoding.f", "g", (New("box", "Box", (one,)), Do("box", "put", (1,)), Do("box", "put", (2,)),
                                    Call("f", (one, Handle("box")))))
    for _ in range(2):
        assert check(harness, source, case, judge).status == "ok"
    assert got == [[None, 1, 3, 13]] * 2


@pytest.mark.parametrize(("body", "says"), [
    ("till.put('a')", "till.put: an amount is an int, got str"),
    ("till.put()", r"till.put: .*missing 1 required positional argument"),
    ("till.secret()", "has no attribute 'secret'"),
    ("till.put.__globals__['Till']", "KeyError"),
    ("[till.put(1) for _ in range(9)]", "till: called more than 5 times"),
    ("till.doubled(object())", "cannot be read"),
])
def test_what_is_wrong_with_a_call_is_told(harness, body, says):
    def judge(case, outputs, events):
        return Verdict(False, f"{outputs[0].kind}: {outputs[0].message}")

    found = check(harness, f"def f(till):\n    {body}\n", case_of(till(max_calls=5)), judge)
    assert re.search(says, found.failure.message), found.failure.message


FORGED = """
import sys
def f(till):
    session = till.put.__closure__ and next(c.cell_contents for c in till.put.__closure__ if hasattr(c.cell_contents, 'reply'))
    from llmlab.harness import wire
    session.reply({question})
    answer = wire.decode(wire.receive(session.inward))
    return answer if isinstance(answer, str) else answer.get('error')
"""


@pytest.mark.parametrize(("question", "says"), [
    ("{'op': 'call', 'id': 0, 'method': 'secret', 'args': [], 'kwargs': {}}", "has no method 'secret'"),
    ("{'op': 'call', 'id': 0, 'method': '__init__', 'args': [], 'kwargs': {}}", "has no method '__init__'"),
    ("{'op': 'call', 'id': 7, 'method': 'put', 'args': [1], 'kwargs': {}}", "no such trusted object"),
    ("{'op': 'call', 'id': True, 'method': 'put', 'args': [1], 'kwargs': {}}", "no such trusted object"),
    ("{'op': 'call', 'id': 0, 'method': ['put'], 'args': [1], 'kwargs': {}}", "has no method"),
    ("{'op': 'call', 'id': 0, 'method': 'put', 'args': 1, 'kwargs': None}", "has no method"),
    ("{'op': 'call', 'id': 0, 'method': 'put', 'args': [], 'kwargs': {1: 2}}", "keywords must be strings"),
    ("{'op': 'model', 'id': 0, 'ids': 1}", "no such trusted object"),
])
def test_a_forged_question_reaches_nothing(harness, question, says):
    def judge(case, outputs, events):
        return Verdict(False, str(getattr(outputs[0], "value", outputs[0])))

    found = check(harness, FORGED.replace("{question}", question), case_of(till()), judge)
    assert says in found.failure.message, found.failure.message


def test_the_bytes_of_all_calls_are_bounded(harness):
    def judge(case, outputs, events):
        return Verdict(False, outputs[0].message)

    source = "import torch\ndef f(till):\n    x = torch.zeros(2 ** 22)\n    while True:\n        till.doubled(x)\n"
    found = check(harness, source, case_of(till()), judge)
    assert f"more than {MAX_BYTES_OF_CASE // 2**20} MiB" in found.failure.message


def test_it_is_shown_by_its_name(harness):
    found = check(harness, "def f(till):\n    return 0\n", case_of(till(), 3), lambda *_: Verdict(False, "no"))
    assert found.failure.show == "f(till, 3)"
