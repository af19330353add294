"""Copies are found under other names, order and comments; independent work and untouched scaffolds are
not."""

import json
import random
import re
import textwrap

import pytest

from llmlab.grading import scaffold, similarity, variants
from llmlab.grading.course import CourseError, course
from llmlab.grading.fingerprints import RUN, WINDOW, fingerprints, runs, tokens
from llmlab.grading.ledger import Ledger
from llmlab.grading.similarity import FEW, LEAST, THRESHOLD, candidates, pairs, prints_of


def solved(module: str) -> str:
    return "\n".join(
        line
        for line in variants.solution(module).decode().splitlines()
        if not line.strip().startswith("### ")
    )


def known(module: str) -> frozenset[int]:
    return frozenset(runs(tokens(scaffold.scaffolds(course())[module])))


def only_alternatives(module: str, which: int) -> str:
    """A module of nothing but alternatives: the first ones of each task that has two, or the second ones."""
    base, by_task = variants.solution(module), {}
    for one in variants.alternatives(module):
        by_task.setdefault(one.task, []).append(one.source[len(base) :].decode())
    return "\n\n".join(texts[which] for texts in by_task.values() if len(texts) > 1)


def disguised(source: str, seed: int = 1) -> str:
    """The same code: functions in another order, own names replaced, comments and docstrings changed."""
    parts = re.split(r"(?m)^(?=def )", source)
    head, functions = parts[0], parts[1:]
    random.Random(seed).shuffle(functions)
    text = head + "# mine\n".join(functions)
    text = re.sub(r'"""(?:.|\n)*?"""', '"""I wrote this."""', text)
    for old in (
        "logits",
        "keep",
        "probs",
        "ranked",
        "order",
        "scores",
        "ids",
        "sorted_logits",
        "mass",
        "value",
    ):
        text = re.sub(rf"(?<!\.)\b{old}\b", f"my_{old[::-1]}", text)
    return text.replace("\n    return", "\n    # done, I think\n    return")


@pytest.mark.parametrize("module", ["decoding", "penalties"])
def test_a_copy_in_disguise_is_found(module):
    copy = disguised(solved(module))
    assert copy != solved(module) and len(re.findall("my_", copy)) > 20
    sources = {
        "ada": solved(module),
        "bob": copy,
        "eve": only_alternatives(module, 0),
        "zoe": only_alternatives(module, 1),
    }
    found = pairs(module, prints_of(((s, text.encode()) for s, text in sources.items()), known(module)))
    assert [(pair.a, pair.b) for pair in found] == [("ada", "bob")]
    assert found[0].share >= 0.9


@pytest.mark.parametrize("module", ["decoding", "penalties"])
def test_independent_work_stays_far_below_the_threshold(module):
    texts = (solved(module), only_alternatives(module, 0), only_alternatives(module, 1))
    made = prints_of(((str(n), text.encode()) for n, text in enumerate(texts)), known(module))
    assert all(len(mine) >= LEAST for mine in made.values()), "long enough to be compared"
    assert pairs(module, made, threshold=0.4) == []
    assert THRESHOLD > 0.4


@pytest.mark.parametrize("module", ["decoding", "penalties"])
def test_a_class_that_left_the_scaffold_untouched_is_not_flagged(module):
    text = scaffold.scaffolds(course())[module].encode()
    assert pairs(module, prints_of(((f"s{n:02}", text) for n in range(30)), known(module)), 0.01) == []


def test_the_lines_of_a_match_are_those_of_the_copied_code():
    copied = "\n".join(f"    total = total.m{n}(rows) * rows.k{n} - other(keep.x{n})" for n in range(12))
    a = f"import torch\n\n\ndef one(rows, total):\n{copied}\n    return total\n"
    noise = "\n".join(f"while spam{n}():\n    eggs.append(print(spam{n} ** 2))" for n in range(15))
    b = f"{noise}\n\ndef other(rows, total):\n{copied}\n"
    found = pairs("m", prints_of(iter([("a", a.encode()), ("b", b.encode())]), frozenset()), 0.5)
    assert len(found) == 1
    (first_a, last_a), (first_b, last_b) = (
        [int(n) for n in re.findall(r"\d+", text)] for text in (found[0].lines_a, found[0].lines_b)
    )
    assert 4 <= first_a <= 6 and 15 <= last_a <= 17
    assert 31 <= first_b <= 33 and 43 <= last_b <= 44


def test_a_run_long_enough_is_always_seen():
    """The guarantee of winnowing, tried on random texts."""
    rng = random.Random(7)
    words = ["if", "while", "len", "sum", "+", "(", ")", "[", "]", ":", "return", "in", "max", "=="]
    for _ in range(200):
        shared = rng.choices(words, k=RUN + WINDOW - 1)
        one, two = (" ".join(rng.choices(words, k=40) + shared + rng.choices(words, k=40)) for _ in range(2))
        assert fingerprints(one).keys() & fingerprints(two).keys()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 1000,
        b"\xff\xfe\xff",
        b"(" * 300_000,
        b"'''" * 100_001,
        b'"' * 200_001,
        b"\\" * 100_000,
        "變數 = 1\n".encode("utf-16"),
        b"def f(:\n  ???\n",
        b"#" * 400_000,
        b"1" * 400_000,
        b"a" * 400_000,
        b"'\\" * 150_000,
    ],
)
def test_any_bytes_have_fingerprints(raw):
    made = prints_of(iter([("a", raw), ("b", b"x = 1\n")]), frozenset())
    assert isinstance(made["a"], dict) and pairs("m", made) == []


def test_a_syntax_error_hides_no_copy():
    broken = "def broken(:\n" + solved("decoding") + "\n)))\n'''never closed"
    made = prints_of(
        iter([("ada", solved("decoding").encode()), ("bob", broken.encode())]), known("decoding")
    )
    assert [pair.share >= 0.9 for pair in pairs("decoding", made)] == [True]


def synthetic(rng: random.Random) -> str:
    """A module of its own: random statements."""
    names = ["rows", "cols", "total", "best", "seen", "left"]
    forms = [
        "{a} = {b}.{m}({c})[{n}]",
        "if {a} < {b} and not {c}:\n    {a} += {f}({b})",
        "for {a} in {f}({b}):\n    {c}.{m}({a}, {n})",
        "{a} = [{f}({b}) for {b} in {c} if {b}.{m}]",
        "while {a}.{m}() != {b}:\n    {c} -= {f}({a}) ** {n}",
        "{a}, {b} = {b}, {c}.{m} or {f}({n})",
    ]
    made = []
    for _ in range(40):
        a, b, c = rng.sample(names, 3)
        method = "".join(rng.choices("abcdefgh", k=2))
        made.append(
            rng.choice(forms).format(
                a=a,
                b=b,
                c=c,
                m=method,
                f=rng.choice(["len", "max", "sum", "sorted", "abs"]),
                n=rng.randrange(99),
            )
        )
    return "\n".join(made)


def holders(made) -> dict[int, list[str]]:
    """Fingerprint -> who has it."""
    found: dict[int, list[str]] = {}
    for student, mine in made.items():
        for code in mine:
            found.setdefault(code, []).append(student)
    return found


def test_two_thousand_modules_give_few_pairs_to_look_at():
    """Everybody shares an idiom, three share everything; the work is bounded by the class, not by its
    square."""
    rng = random.Random(2026)
    idiom = "\n".join(
        f"if rows[{n}].shape != cols.shape:\n    raise ValueError(len(rows))" for n in range(20)
    )
    texts = {f"s{n:04}": f"{idiom}\n{synthetic(rng)}" for n in range(2_000)}
    texts["s0100"] = texts["s0007"].replace("total", "summe")
    texts["s1999"] = "# all mine\n" + texts["s0007"].replace("best", "top")
    made = prints_of(((student, text.encode()) for student, text in texts.items()), frozenset())
    whole, half = holders(made), holders(dict(list(made.items())[:1_000]))
    assert max(map(len, whole.values())) == 2_000, "the idiom is everybody's"
    assert candidates(whole).total() < 2.6 * candidates(half).total(), (
        "twice the class, not four times the work"
    )
    assert candidates(whole).total() < sum(map(len, whole.values())) * FEW / 2
    found = pairs("m", made)
    assert {(pair.a, pair.b) for pair in found} == {
        ("s0007", "s0100"),
        ("s0007", "s1999"),
        ("s0100", "s1999"),
    }


def test_a_large_group_of_copies_is_found_too():
    rng = random.Random(1)
    copied = synthetic(rng)
    texts = {f"s{n:03}": copied if n % 2 else synthetic(rng) for n in range(2 * FEW + 40)}
    found = pairs("m", prints_of(((student, text.encode()) for student, text in texts.items()), frozenset()))
    assert {name for pair in found for name in (pair.a, pair.b)} == {
        name for name, text in texts.items() if text == copied
    }


def test_the_report_is_written_and_changes_no_grade(released):
    ledger = Ledger(released.ledger)
    with pytest.raises(CourseError, match="Run `llmlab grade lab1` first"):
        similarity.similarity("lab1", released.course)
    for student, text in {"ada": solved("decoding"), "bob": disguised(solved("decoding")), "eve": ""}.items():
        ledger.write(student, "verdicts", {"status": "graded", "cells": {}})
        released.submitted(student).mkdir(parents=True)
        (released.submitted(student) / "decoding.py").write_text(text)
    (released.submitted("eve") / "penalties.py").symlink_to(released.submitted("ada") / "decoding.py")
    before = {path: path.read_bytes() for path in released.ledger.rglob("*.json")}
    file, found = similarity.similarity("lab1", released.course)
    told = json.loads(file.read_bytes())
    assert file == released.ledger / "similarity.json" and "no score depends on it" in told["note"]
    assert [(one["a"], one["b"], one["module"]) for one in told["pairs"]] == [("ada", "bob", "decoding")]
    assert {"share", "why", "lines_a", "lines_b"} <= set(told["pairs"][0])
    assert {path: path.read_bytes() for path in before} == before
    text = similarity.report("lab1", found)
    assert "1 pair to look at" in text and "ada: lines" in text and "<" not in text
    assert "no pair" in similarity.report("lab1", [])
    with pytest.raises(CourseError, match="above 0 and at most 1"):
        similarity.similarity("lab1", released.course, threshold=60)


def test_tokens_forget_what_a_copier_changes():
    one = 'def f(x):\n    """Doc."""\n    return x.sum(3) + len("a")  # why\n'
    two = "def g(yy):\n\n    return yy.sum(4.5e-3) + len(f'b')\n"
    assert [t.text for t in tokens(one)] == [t.text for t in tokens(two)]
    assert [t.line for t in tokens(textwrap.dedent(one))][-1] == 3
