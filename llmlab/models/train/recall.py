"""Key-value recall: facts first, then questions about them, many to a document.

Looking a fact up in the context is the skill that attention is for, and a small model learns it late. So
the text is dense: nearly every answer is one word, every document asks many questions, and keys and values
are paired anew each time, so that only the context can tell.
"""

from __future__ import annotations

from llmlab.models.train.dice import Dice
from llmlab.models.train.words import ANIMALS, CITIES, COLOURS, FOODS, JOBS, NAMES, PLACES, THINGS

RELATIONS = (
    # (keys, values, statement, question)
    (NAMES, CITIES, "{k} lives in {v}.", "Where does {k} live?"),
    (NAMES, ANIMALS, "{k} has a {v}.", "Which animal does {k} have?"),
    (NAMES, FOODS, "{k} likes {v}.", "What does {k} like?"),
    (NAMES, JOBS, "{k} is a {v}.", "What is the job of {k}?"),
    (THINGS, COLOURS, "The {k} is {v}.", "What colour is the {k}?"),
    (THINGS, PLACES, "The {k} is in the {v}.", "Where is the {k}?"),
    (ANIMALS, FOODS, "The {k} eats {v}.", "What does the {k} eat?"),
)
POOLS = (NAMES, CITIES, ANIMALS, FOODS, JOBS, THINGS, COLOURS, PLACES)


def facts(dice: Dice, count: int) -> tuple[list[str], list[str], list[str]]:
    """``count`` statements with their questions and one-word answers, in the order of the statements."""
    keys, values, statement, question = dice.pick(RELATIONS)
    keys, values = dice.some(keys, count), [dice.pick(values) for _ in range(count)]
    said = [statement.format(k=k, v=v) for k, v in zip(keys, values, strict=True)]
    asked = [question.format(k=k) for k in keys]
    return said, asked, values


def recall(dice: Dice) -> str:
    """Facts with questions, a table of pairs read back, or a list repeated."""
    kind = dice.number(0, 9)
    if kind <= 3:
        count = dice.number(2, 6)
        said, asked, answers = facts(dice, count)
        lines = ["Facts: " + " ".join(said)]
        order = dice.shuffled(range(count)) + dice.some(range(count), dice.number(0, count))
        lines += [f"Question: {asked[i]} Answer: {answers[i]}." for i in order]
        return "\n".join(lines)
    if kind <= 7:
        count = dice.number(3, 10)
        keys, values = dice.some(dice.pick(POOLS), count), dice.pick(POOLS)
        pairs = [(k, dice.pick(values)) for k in keys]
        sign = dice.pick([" = ", ": ", " -> "])
        text = "Pairs: " + ", ".join(f"{k}{sign}{v}" for k, v in pairs) + "."
        for _ in range(dice.number(1, 3)):
            text += "\nAgain: " + ", ".join(f"{k}{sign}{v}" for k, v in dice.shuffled(pairs)) + "."
        return text
    if kind == 8:
        words = [dice.pick(dice.pick(POOLS)) for _ in range(dice.number(4, 14))]
        line = " ".join(words)
        return "\n".join([f"Say: {line}."] + [f"Repeat: {line}."] * dice.number(1, 3))
    code = {k: f"{dice.number(10, 99)}" for k in dice.some(NAMES, dice.number(2, 6))}
    lines = ["Codes: " + " ".join(f"The code of {k} is {v}." for k, v in code.items())]
    lines += [f"Question: What is the code of {k}? Answer: {code[k]}." for k in dice.shuffled(list(code))]
    return "\n".join(lines)
