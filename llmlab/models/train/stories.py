"""Small stories and songs: seeded templates, one function per kind of document."""

from __future__ import annotations

from llmlab.models.train.dice import Dice
from llmlab.models.train.words import (
    ANIMALS,
    BOYS,
    COLOURS,
    DAYS,
    FEELINGS,
    FOODS,
    GIRLS,
    JOBS,
    NAMES,
    PLACES,
    THINGS,
    spelled,
)

SIZES = "little big small old young quiet clever kind funny tiny".split()
WEATHER = "sunny rainy windy cold warm snowy cloudy bright".split()

OPENINGS = (
    "Once upon a time there was a {size} {kind} named {name}.",
    "There once lived a {size} {kind} called {name}.",
    "{name} was a {size} {kind} who lived near the {place}.",
    "In a {place} far away lived a {size} {kind} named {name}.",
    "One {weather} {day}, a {size} {kind} named {name} went to the {place}.",
    "Long ago, a {size} {kind} named {name} lived by the {place}.",
)
WANTS = (
    "{He} had a {colour} {thing} and took it everywhere.",
    "{He} wanted to find a {colour} {thing}.",
    "Every {day} {he} walked to the {place2} to look for a {thing}.",
    "{He} loved to eat {food} with {his} friend {friend}.",
    "More than anything {he} wished for a {colour} {thing}.",
    "{He} and {friend} played in the {place2} all day.",
)
TROUBLES = (
    "But one morning the {thing} was gone.",
    "One day the {thing} fell into the {place2}.",
    "Then the wind took the {thing} away, and {name} was {feeling}.",
    "On the way {he} met a {animal} who looked {feeling}.",
    "Suddenly it began to rain, and the {place2} was full of water.",
    "Then {name} heard a loud noise in the {place2}.",
    "But {he} could not find the way home, and it was getting dark.",
)
TRIES = (
    "{He} looked under the {thing2}, but there was only a {colour2} {thing3}.",
    '"Have you seen my {thing}?" {he} asked the {job}. "No," said the {job}, "but ask the {animal}."',
    '"Do not be {feeling}," said {friend}. "I will help you."',
    "{He} asked the {animal}, and the {animal} pointed to the {place3}.",
    "They looked in the {place2}, in the {place3} and behind the {thing2}.",
    '"Can you help me?" asked {name}. The {animal} said, "Yes, but first give me some {food}."',
    "{He} sat down and thought for a long time. Then {he} had an idea.",
    "First {he} tried to use a {thing2}. It did not work. Then {he} tried a {thing3}.",
    "{He} counted the steps: one, two, three, four, five. Then {he} stopped.",
)
SOLUTIONS = (
    "At last they found the {thing} in the {place3}.",
    "The {job} smiled and gave {name} a new {thing}.",
    "Together they made a {colour2} {thing} out of a {thing2} and a {thing3}.",
    "The {animal} showed {name} the way, and soon they were at the {place3}.",
    "In the {place3} stood {friend} with the {thing} in {his2} hands.",
    "{name} gave the {animal} a piece of {food}, and the {animal} brought the {thing} back.",
)
ENDINGS = (
    "{name} was very {good}. They went home and ate {food}.",
    "From that day on, {name} and the {animal} were friends.",
    '"Thank you," said {name}. "You are a good friend."',
    "That night {name} slept well and dreamed of the {place2}.",
    "{name} said thank you to {friend}, and they both laughed.",
    "And {name} never lost the {thing} again.",
)
MORALS = (
    "It is good to help a friend.",
    "It is good to ask when you do not know.",
    "Small friends can do big things.",
    "If you share, you have more.",
    "Look twice before you leave.",
)


def story(dice: Dice) -> str:
    """One story of 60 to 160 words; its people, things and places stay the same from start to end."""
    girl = dice.chance(0.5)
    name = dice.pick(GIRLS if girl else BOYS)
    friend_girl = dice.chance(0.5)
    friend = dice.pick([n for n in (GIRLS if friend_girl else BOYS) if n != name])
    things, places, colours = dice.some(THINGS, 3), dice.some(PLACES, 3), dice.some(COLOURS, 2)
    slots = dict(
        name=name,
        friend=friend,
        he="she" if girl else "he",
        He="She" if girl else "He",
        his="her" if girl else "his",
        his2="her" if friend_girl else "his",
        kind=dice.pick([*ANIMALS, "girl" if girl else "boy", dice.pick(JOBS)]),
        size=dice.pick(SIZES),
        weather=dice.pick(WEATHER),
        day=dice.pick(DAYS),
        thing=things[0],
        thing2=things[1],
        thing3=things[2],
        place=places[0],
        place2=places[1],
        place3=places[2],
        colour=colours[0],
        colour2=colours[1],
        food=dice.pick(FOODS),
        animal=dice.pick(ANIMALS),
        job=dice.pick(JOBS),
        feeling=dice.pick(FEELINGS),
        good=dice.pick(["happy", "glad", "proud"]),
    )
    lines = [
        dice.pick(OPENINGS),
        dice.pick(WANTS),
        dice.pick(TROUBLES),
        *dice.some(TRIES, dice.number(1, 3)),
        dice.pick(SOLUTIONS),
        dice.pick(ENDINGS),
    ]
    if dice.chance(0.3):
        lines.append(dice.pick(MORALS))
    text = " ".join(lines).format(**slots)
    if dice.chance(0.3):
        text = f"{name} and the {things[0].capitalize()}\n\n{text}"
    return _articles(text)


def _articles(text: str) -> str:
    """ "a old owl" -> "an old owl"."""
    words = text.split(" ")
    for i in range(len(words) - 1):
        if words[i] in ("a", "A") and words[i + 1][:1] in tuple("aeiou"):
            words[i] += "n"
    return " ".join(words)


def song(dice: Dice) -> str:
    """A song with a returning chorus, or one that counts down."""
    kind = dice.number(0, 2)
    if kind == 0:
        animal, place, start = dice.pick(ANIMALS), dice.pick(PLACES), dice.number(4, 9)
        lines = [f"Song of the {animal}"]
        for n in range(start, 1, -1):
            left = n - 1
            lines += [
                "",
                f"{spelled(n).capitalize()} {_many(animal)} sat in the {place},",
                f"one went home and {spelled(left)} {'were' if left > 1 else 'was'} left.",
            ]
            if left == 1:
                lines.append(f"One {animal} sat in the {place}, all alone.")
        return "\n".join(lines)
    name, things, place = dice.pick(NAMES), dice.some(THINGS, 3), dice.pick(PLACES)
    a, b = dice.some(COLOURS, 2)
    chorus = dice.pick(
        [
            f"Oh {name}, oh {name}, come sing with me,\nthe {a} {things[0]} is under the tree.",
            f"La la la, the {a} {things[0]},\nla la la, the {b} {things[0]}.",
            f"Row, row, over the {place},\nwith a {a} {things[0]} and a smile on your face.",
        ]
    )
    verses = [
        f"I had a {things[1]}, I had a {things[2]},\nI took them both to the {place} today.",
        f"The {a} {things[1]} and the {b} {things[2]}\nwent walking to the {place}.",
        f"{name} saw a {dice.pick(ANIMALS)} and gave it some {dice.pick(FOODS)},\n"
        f"and the {dice.pick(ANIMALS)} was in a good mood.",
        f"On {dice.pick(DAYS)} we sing and on {dice.pick(DAYS)} we play,\n"
        f"and {name} has a {a} {things[2]} today.",
    ]
    parts = [f"Song of {name}"]
    for verse in dice.some(verses, dice.number(2, 3)):
        parts += [verse, chorus]
    return _articles("\n\n".join(parts))


def _many(animal: str) -> str:
    special = {"mouse": "mice", "wolf": "wolves", "fish": "fish", "fox": "foxes"}
    return special.get(animal, animal + "s")
