"""Arithmetic with written-out carries, counting and lists.

One tenth of all sums is held out: `held_out(a, b)` says which. They are in no arithmetic document, so a
probe that asks only them measures adding, not memory.
"""

from __future__ import annotations

from llmlab.models.train.dice import Dice
from llmlab.models.train.words import COLOURS, DAYS, FOODS, MONTHS, NAMES, THINGS, spelled


def held_out(a: int, b: int) -> bool:
    """True for the sums and differences that the text never shows.

    >>> sum(held_out(a, b) for a in range(10, 100) for b in range(10, 100))
    810
    """
    return (3 * a + 7 * b + a // 10) % 10 == 4


def addition(a: int, b: int) -> str:
    """The sum, digit by digit from the right.

    >>> addition(47, 38)
    '47 + 38\\n7 + 8 = 15, write 5, carry 1\\n4 + 3 + 1 = 8, write 8\\n47 + 38 = 85'
    """
    lines, carry = [f"{a} + {b}"], 0
    width = max(len(str(a)), len(str(b)))
    for i in range(width):
        x, y = a // 10**i % 10, b // 10**i % 10
        total = x + y + carry
        line = f"{x} + {y} + {carry} = {total}" if carry else f"{x} + {y} = {total}"
        carry = total // 10
        if i == width - 1:
            line += f", write {total}"
        else:
            line += f", write {total % 10}" + (", carry 1" if carry else "")
        lines.append(line)
    lines.append(f"{a} + {b} = {a + b}")
    return "\n".join(lines)


def subtraction(a: int, b: int) -> str:
    """The difference of ``a >= b``, digit by digit, with borrowing.

    >>> subtraction(52, 38)
    '52 - 38\\nborrow 1, 12 - 8 = 4, write 4\\n4 - 3 = 1, write 1\\n52 - 38 = 14'
    """
    lines, borrow = [f"{a} - {b}"], 0
    for i in range(len(str(a))):
        x, y = a // 10**i % 10 - borrow, b // 10**i % 10
        borrow = int(x < y)
        x += 10 * borrow
        lines.append(
            f"borrow 1, {x} - {y} = {x - y}, write {x - y}"
            if borrow
            else f"{x} - {y} = {x - y}, write {x - y}"
        )
    lines.append(f"{a} - {b} = {a - b}")
    return "\n".join(lines)


def _pair(dice: Dice, low: int, high: int) -> tuple[int, int]:
    while True:
        a, b = dice.number(low, high), dice.number(low, high)
        if not held_out(a, b) and not held_out(b, a):
            return a, b


def arithmetic(dice: Dice) -> str:
    """Two to five worked sums, a short word problem, or a times table."""
    kind = dice.number(0, 9)
    if kind <= 5:
        out = []
        for _ in range(dice.number(2, 4)):
            a, b = _pair(dice, 1, 9) if dice.chance(0.1) else _pair(dice, 10, 99 if dice.chance(0.8) else 999)
            out.append(addition(a, b) if dice.chance(0.65) else subtraction(max(a, b), min(a, b)))
        return "\n\n".join(out)
    if kind <= 7:
        name, thing = dice.pick(NAMES), dice.pick(THINGS)
        a, b = _pair(dice, 2, 60)
        if dice.chance(0.5):
            return (
                f"Question: {name} has {a} {thing}s and gets {b} more. "
                f"How many {thing}s does {name} have now?\n"
                f"{addition(a, b)}\nAnswer: {a + b}"
            )
        a, b = max(a, b), min(a, b)
        return (
            f"Question: {name} had {a} {thing}s and lost {b} of them. How many {thing}s are left?\n"
            f"{subtraction(a, b)}\nAnswer: {a - b}"
        )
    n = dice.number(2, 12)
    start = dice.number(1, 4)
    return f"Table of {n}\n" + "\n".join(
        f"{i} x {n} = {i * n}" for i in range(start, start + dice.number(5, 8))
    )


def counting(dice: Dice) -> str:
    """Counting up or down in steps, in figures or words, or a list of named things in order."""
    kind = dice.number(0, 6)
    if kind <= 2:
        step, start, many = dice.number(1, 10), dice.number(0, 60), dice.number(8, 24)
        up = dice.chance(0.7)
        numbers = (
            [start + step * i for i in range(many)]
            if up
            else [start + step * (many - i) for i in range(many)]
        )
        head = dice.pick(["Count: ", f"Count by {step}: ", f"Count {'up' if up else 'down'} by {step}: "])
        return head + ", ".join(map(str, numbers)) + "."
    if kind == 3:
        start = dice.number(0, 70)
        return "Count in words: " + ", ".join(spelled(start + i) for i in range(dice.number(6, 20))) + "."
    if kind == 4:
        items, first = dice.pick([(DAYS, 0), (MONTHS, 0)])
        first, many = dice.number(0, len(items) - 1), dice.number(5, 14)
        word = "Days" if len(items) == 7 else "Months"
        return f"{word}: " + ", ".join(items[(first + i) % len(items)] for i in range(many)) + "."
    if kind == 5:
        letters = "a b c d e f g h i j k l m n o p q r s t u v w x y z".split()
        first, many = dice.number(0, 12), dice.number(6, 14)
        return "Letters: " + ", ".join(letters[first : first + many]) + "."
    name, words = dice.pick(NAMES), dice.some(FOODS if dice.chance(0.5) else THINGS, dice.number(4, 8))
    head = dice.pick([f"Shopping list of {name}:", f"Things to pack for {name}:", f"{name}'s list:"])
    lines = [f"{i}. {dice.number(2, 9)} {dice.pick(COLOURS)} {word}s" for i, word in enumerate(words, 1)]
    return "\n".join([head, *lines])
