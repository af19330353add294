"""The training text: the same everywhere, and true to what it claims."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from llmlab.models.train import corpus, docstrings, numbers, pairs, recall
from llmlab.models.train.dice import Dice
from llmlab.models.train.words import spelled


def test_the_same_seed_gives_the_same_text_in_another_process_with_another_hash_seed():
    code = (
        "from llmlab.models.train import corpus\n"
        "print(corpus.build(0.02, with_docstrings=False).procedural_sha256)"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert runs == {corpus.build(0.02, with_docstrings=False).procedural_sha256}


def test_another_seed_gives_another_text():
    assert corpus.build(0.001, 1, False).procedural_sha256 != corpus.build(0.001, 2, False).procedural_sha256


def test_validation_shares_no_document_with_training(text):
    known = {doc for docs in text.train.values() for doc in docs}
    fresh = [doc for docs in text.validation.values() for doc in docs]
    assert fresh and not known & set(fresh)
    assert len(fresh) == len(set(fresh))
    drawn = [doc for docs in text.validation_all.values() for doc in docs]
    assert set(fresh) == set(drawn) - known


def test_sizes_are_those_of_the_recipe(text):
    for kind, size in text.bytes_of("train").items():
        assert abs(size - 0.98 * corpus.RECIPE[kind][1]) < 0.02 * corpus.RECIPE[kind][1]


def test_every_equation_in_the_arithmetic_is_true(text):
    seen = 0
    for doc in text.train["arithmetic"]:
        for left, right in re.findall(r"((?:\d+ [-+x] )+\d+) = (\d+)", doc):
            assert eval(left.replace("x", "*")) == int(right), doc  # noqa: S307 - digits and signs only
            seen += 1
    assert seen > 50_000


@pytest.mark.parametrize("a,b", [(0, 0), (9, 9), (99, 1), (100, 99), (507, 496), (999, 999)])
def test_written_out_carries_lead_to_the_sum(a, b):
    lines = numbers.addition(a, b).splitlines()
    written = [re.search(r"write (\d+)", line)[1] for line in lines[1:-1]]
    assert int("".join(reversed(written))) == a + b
    lines = numbers.subtraction(max(a, b), min(a, b)).splitlines()
    written = [re.search(r"write (\d+)", line)[1] for line in lines[1:-1]]
    assert int("".join(reversed(written))) == abs(a - b)


def test_held_out_sums_are_never_shown(text):
    for doc in text.train["arithmetic"]:
        for a, b in re.findall(r"^(\d+) [-+] (\d+)$", doc, flags=re.MULTILINE):
            assert not numbers.held_out(int(a), int(b)), doc


def test_held_out_sentences_are_never_shown(text):
    shown = {
        line[9:] for doc in text.train["pairs"] for line in doc.splitlines() if line.startswith("English: ")
    }
    assert len(shown) > 5_000
    assert not [line for line in shown if pairs.held_out(line)]
    dice = Dice(3)
    assert 150 < sum(pairs.held_out(pairs.sentence(dice)[0]) for _ in range(2000)) < 260


def test_one_english_sentence_has_one_translation(text):
    found: dict[str, set[str]] = {}
    for doc in text.train["pairs"]:
        lines = doc.splitlines()
        for one, two in zip(lines[::2], lines[1::2], strict=True):
            english, chinese = sorted((one, two), reverse=True)
            found.setdefault(english, set()).add(chinese)
    assert max(map(len, found.values())) == 1


def test_every_record_is_json(text):
    for doc in text.train["records"]:
        parts = [doc] if "\n  " in doc else doc.splitlines()
        assert all(isinstance(json.loads(part), dict) for part in parts)


def test_recall_answers_are_in_the_facts(text):
    asked = 0
    for doc in text.train["recall"]:
        if doc.startswith("Facts: "):
            first, *rest = doc.splitlines()
            for answer in re.findall(r"Answer: (\w+)\.$", "\n".join(rest), flags=re.MULTILINE):
                assert re.search(rf"\b{answer}\.", first)
                asked += 1
        elif doc.startswith("Pairs: "):
            lines = [set(line.split(": ", 1)[1].rstrip(".").split(", ")) for line in doc.splitlines()]
            assert all(line == lines[0] for line in lines)
    assert asked > 10_000


def test_facts_belong_to_their_questions():
    said, asked, values = recall.facts(Dice(1), 4)
    assert len(said) == len(asked) == len(values) == 4
    assert all(value in statement for statement, value in zip(said, values, strict=True))


def test_counting_goes_in_equal_steps(text):
    rows = [doc for doc in text.train["counting"] if doc.startswith("Count") and doc[-2].isdigit()]
    assert len(rows) > 1_000
    for doc in rows:
        row = [int(n) for n in doc.split(": ", 1)[1].rstrip(".").split(", ")]
        assert len({b - a for a, b in zip(row, row[1:], strict=False)}) == 1


def test_spelled_numbers_agree_with_a_table():
    assert [spelled(n) for n in (0, 9, 13, 20, 21, 99)] == [
        "zero",
        "nine",
        "thirteen",
        "twenty",
        "twenty-one",
        "ninety-nine",
    ]
    assert len({spelled(n) for n in range(100)}) == 100


FAKE_LIBRARY = {
    "alpha.py": '"""Module alpha, which says a good deal about itself."""\n\n\n'
    'def add(a, b=1):\n    """Return the sum of a and b, and say so at some length."""\n',
    "alpha_copy.py": 'class Copy:\n    """Module alpha, which says a good deal about itself."""\n',
    "pack/__init__.py": 'class Box:\n    """A box for things.\n\n'
    '        Common indentation goes,\n            the rest stays.\n    """\n',
    "short.py": '"""Too short."""\n',
    "long.py": f'"""{"word " * 400}"""\n',
    "broken.py": "def (:\n",
    "test/test_alpha.py": '"""A docstring of a test, long enough but not wanted here."""\n',
}


def test_docstrings_of_a_small_library(tmp_path):
    for name, source in FAKE_LIBRARY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(source)
    found = docstrings.docstrings(root=tmp_path)
    assert found == [
        "module alpha\n\nModule alpha, which says a good deal about itself.",
        "alpha.add(a, b=1)\n\nReturn the sum of a and b, and say so at some length.",
        "class pack.Box\n\nA box for things.\n\nCommon indentation goes,\n    the rest stays.",
    ]
    assert docstrings.docstrings(limit_bytes=150, root=tmp_path) in (found[1:], found[::2], found[:2])


def test_dice_are_fair_and_cover_both_ends():
    dice = Dice(5)
    rolls = [dice.number(1, 6) for _ in range(6000)]
    assert set(rolls) == set(range(1, 7))
    # 1000 each expected, standard deviation 29: six of them
    assert all(abs(rolls.count(n) - 1000) < 175 for n in range(1, 7))
    assert sorted(dice.shuffled(range(10))) == list(range(10)) and len(set(dice.some("abcdef", 3))) == 3
