"""JSON records: people, things in a shop, weather, orders. Always valid JSON (a test parses every one)."""

from __future__ import annotations

import json

from llmlab.models.train.dice import Dice
from llmlab.models.train.words import ANIMALS, CITIES, COLOURS, DAYS, FOODS, JOBS, NAMES, THINGS


def _person(dice: Dice) -> dict[str, object]:
    return {
        "name": dice.pick(NAMES),
        "age": dice.number(5, 90),
        "city": dice.pick(CITIES),
        "job": dice.pick(JOBS),
        "pets": dice.some(ANIMALS, dice.number(0, 3)),
        "married": dice.chance(0.5),
    }


def _item(dice: Dice) -> dict[str, object]:
    return {
        "id": dice.number(100, 999),
        "item": dice.pick(THINGS),
        "colour": dice.pick(COLOURS),
        "price": dice.number(1, 99),
        "in_stock": dice.chance(0.7),
    }


def _weather(dice: Dice) -> dict[str, object]:
    return {
        "city": dice.pick(CITIES),
        "day": dice.pick(DAYS),
        "temperature": dice.number(-10, 35),
        "sky": dice.pick(["clear", "cloudy", "rain", "snow", "wind"]),
    }


def _order(dice: Dice) -> dict[str, object]:
    lines = [{"food": f, "count": dice.number(1, 9)} for f in dice.some(FOODS, dice.number(1, 3))]
    return {
        "customer": dice.pick(NAMES),
        "lines": lines,
        "paid": dice.chance(0.6),
        "note": None if dice.chance(0.6) else f"deliver on {dice.pick(DAYS)}",
    }


def record(dice: Dice) -> str:
    """One record over several lines, or a few short ones, one a line."""
    make = dice.pick([_person, _item, _weather, _order])
    if dice.chance(0.4):
        return json.dumps(make(dice), indent=2)
    return "\n".join(json.dumps(make(dice)) for _ in range(dice.number(1, 4)))
