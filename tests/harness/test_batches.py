"""Cases that share a frame: each has its own models, and a call belongs to the case whose model it names."""

from types import SimpleNamespace

import torch

from llmlab.checks.protocol import PASS, Call, Case, Model, Verdict
from llmlab.harness.requests import batches
from tests.harness.toys import TASK


def asking(answer: float, **named) -> Case:
    """Gives `f` a model of its own that always answers `answer`; the judge finds `answer` in `expect`."""
    model = Model(lambda ids, mask: torch.full((len(ids), 2), answer), 9, **named)
    return Case("decoding.f", "g", (Call("f", (model,)),), expect=answer)


def judged(harness, source: str, cases: list[Case], judge) -> tuple[list[tuple], object]:
    """(answer of the case's model, first output, events) of every case, in one frame where that is possible."""
    found = []

    def keep(case, outputs, events):
        found.append((case.expect, outputs[0], events))
        return judge(case, outputs, events) if judge else PASS

    report = harness.check_source("decoding", source.encode(), "decoding.py", [TASK], cases, SimpleNamespace(judge=keep))
    return found, report.tasks[0]


ASK = "import torch\nids = torch.tensor([[1, 2]])\n"


def test_every_case_gets_the_answers_and_the_calls_of_its_own_model(harness):
    cases = [asking(float(n)) for n in range(4)]
    assert [len(batch) for batch in batches(cases)] == [4]
    source = ASK + "def f(model):\n    return [float(model(ids)[0, 0]), float(model(ids + 1)[0, 1])]\n"
    found, task = judged(harness, source, cases, None)
    assert task.status == "ok"
    for answer, output, events in found:
        assert output.value == [answer, answer]
        assert [event.data["ids"].tolist() for event in events] == [[[1, 2]], [[2, 3]]]


def test_a_model_kept_from_another_case_counts_for_that_case(harness):
    """Whoever hides calls in another case of the batch has them there: nothing is uncounted, nothing answered by both."""
    source = ASK + ("kept = []\ndef f(model):\n    kept.append(model)\n"
                    "    return float(kept[0](ids)[0, 0])\n")
    found, _ = judged(harness, source, [asking(5.0), asking(6.0)], None)
    assert [(output.value, len(events)) for _, output, events in found] == [(5.0, 2), (5.0, 0)]


def test_calls_are_limited_for_each_model(harness):
    source = ASK + "def f(model):\n    return [float(model(ids)[0, 0]) for _ in range(3)]\n"
    found, _ = judged(harness, source, [asking(1.0, max_calls=3), asking(2.0, max_calls=2)], None)
    (_, first, _), (_, second, _) = found
    assert first.value == [1.0] * 3
    assert second.kind == "ValueError" and "called more than 2 times" in second.message


def test_a_crash_in_one_case_costs_only_that_case(harness):
    source = ASK + ("import os\ndef f(model):\n    answer = float(model(ids)[0, 0])\n"
                    "    if answer == 2:\n        os.abort()\n    return answer\n")
    task = TASK.__class__("decoding.f", "lab1", "a toy", {"g": 1.0, "h": 1.0}, TASK.read)
    cases = [asking(1.0), Case("decoding.f", "h", asking(2.0).steps, expect=2.0), asking(3.0)]

    def judge(case, outputs, events):
        return PASS if outputs[0].value == case.expect and len(events) == 1 else Verdict(False, "another answer")

    report = harness.check_source("decoding", source.encode(), "decoding.py", [task], cases, SimpleNamespace(judge=judge))
    groups = {group.name: group for group in report.tasks[0].groups}
    assert groups["g"].earned == 1.0 and groups["h"].earned == 0.0 and report.tasks[0].status == "crashed"


def test_a_model_in_two_cases_keeps_them_apart():
    one = asking(1.0)
    again = Case("decoding.f", "g", one.steps)
    assert [len(batch) for batch in batches([one, again, asking(2.0)])] == [1, 2]
