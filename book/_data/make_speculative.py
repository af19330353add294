"""Writes what the stepper of accepted and rejected tokens shows, speculative.json, and a reference.

    python book/_data/make_speculative.py

Two figures that run in the reader's browser. The first goes through a step of speculative decoding
decision by decision: `STORIES` with a few words, and `trace`, passes of the shipped pair over a real text.
A browser computes the decisions itself, for the stories also with other uniform numbers. The second draws
tokens of a pass and speed-up against gamma. `speculative_reference.json` has random settings with the
results of `walk` and `curve`, the references in this file.

Nothing is taken from the course's solution; a test holds this file against it. No time is measured.
"""

from __future__ import annotations

import json
import random
from itertools import accumulate
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("speculative.json")
REFERENCE = Path(__file__).with_name("speculative_reference.json")
WORDS = ["the", "a", "cat", "dog"]
LIKES, GUESS = [0.5, 0.25, 0.15, 0.1], [0.25, 0.5, 0.1, 0.15]
NEXT, SECOND = [0.1, 0.1, 0.6, 0.2], [0.05, 0.05, 0.4, 0.5]
LAST = [0.4, 0.4, 0.1, 0.1]
HOT = [[1.0 if i == j else 0.0 for j in range(4)] for i in range(4)]
STORIES: dict[str, dict[str, Any]] = {
    "example": {
        "title": "The example of the chapter",
        "p": [[0.4, 0.3, 0.2, 0.1], LAST],
        "q": [[0.2, 0.5, 0.1, 0.2]],
        "drafted": [1],
        "uniforms": [0.8, 0.5],
    },
    "bonus": {
        "title": "Everything is accepted: a token for nothing",
        "p": [LIKES, NEXT, LAST],
        "q": [GUESS, SECOND],
        "drafted": [0, 2],
        "uniforms": [0.7, 0.9, 0.55],
    },
    "rejected": {
        "title": "The second token is rejected and replaced",
        "p": [LIKES, NEXT, LAST],
        "q": [GUESS, SECOND],
        "drafted": [0, 3],
        "uniforms": [0.2, 0.6, 0.9],
    },
    "at once": {
        "title": "The first token is rejected: the second is not even looked at",
        "p": [LIKES, NEXT, LAST],
        "q": [GUESS, SECOND],
        "drafted": [1, 2],
        "uniforms": [0.8, 0.1, 0.3],
    },
    "equal": {
        "title": "The draft is the target: nothing can be rejected",
        "p": [LIKES, NEXT, LAST],
        "q": [LIKES, NEXT],
        "drafted": [1, 3],
        "uniforms": [0.99, 0.99, 0.2],
    },
    "greedy": {
        "title": "Greedy: both distributions are one-hot",
        "p": [HOT[0], HOT[2], HOT[1]],
        "q": [HOT[0], HOT[3]],
        "drafted": [0, 3],
        "uniforms": [0.5, 0.5, 0.5],
    },
    "lookup": {
        "title": "A draft without probabilities: q is 1 for its token",
        "p": [LIKES, NEXT, LAST],
        "q": [HOT[0], HOT[3]],
        "drafted": [0, 3],
        "uniforms": [0.4, 0.5, 0.75],
    },
}
SETTINGS = 100
TEXT, PASSES, GAMMA, SEED, TOP, DIGITS = "Once upon a time there was a little", 6, 4, 9, 5, 6


def left(p: list[float], q: list[float]) -> list[float]:
    """(p - q)+ divided by its sum; p where nothing is left."""
    over = [max(a - b, 0.0) for a, b in zip(p, q, strict=True)]
    return [x / sum(over) for x in over] if sum(over) > 0 else list(p)


def pick(law: list[float], u: float) -> int:
    """The first token whose cumulative probability exceeds u."""
    return next(
        (i for i, total in enumerate(accumulate(law)) if total > u),
        max(i for i, x in enumerate(law) if x > 0),
    )


def walk(
    p: list[list[float]], q: list[list[float]], drafted: list[int], uniforms: list[float]
) -> list[dict[str, Any]]:
    """The decisions of one step, in order.

    First one for each drafted token that is looked at: {"place", "token", "p", "q", "chance", "uniform",
    "accepted"}. Then the token that the pass adds: {"place", "token", "from": "residual" or "target",
    "law", "uniform", "gained": all tokens}.

    >>> [d["token"] for d in walk([[0.5, 0.5], [0.5, 0.5]], [[1.0, 0.0]], [0], [0.6, 0.1])]
    [0, 1]
    """
    states: list[dict[str, Any]] = []
    for i, token in enumerate(drafted):
        chance = min(1.0, p[i][token] / q[i][token])
        states.append(
            {
                "place": i,
                "token": token,
                "p": p[i][token],
                "q": q[i][token],
                "chance": chance,
                "uniform": uniforms[i],
                "accepted": uniforms[i] < chance,
            }
        )
        if not states[-1]["accepted"]:
            law, source = left(p[i], q[i]), "residual"
            break
    else:
        i, law, source = len(drafted), p[-1], "target"
    token = pick(law, uniforms[-1])
    states.append(
        {
            "place": i,
            "token": token,
            "from": source,
            "law": law,
            "uniform": uniforms[-1],
            "gained": [*drafted[:i], token],
        }
    )
    return states


def curve(alpha: float, cost: float, verify: float, most: int = 16) -> list[dict[str, float]]:
    """For gamma 0 to `most`: tokens of a pass, speed-up, and what the lecture's gamma x alpha would be.

    verify: what each further token adds to the target's pass, in passes over one: 0 if reading the
    weights is all there is.
    """
    points = []
    for gamma in range(most + 1):
        tokens = float(sum(alpha**i for i in range(gamma + 1)))
        points.append(
            {
                "gamma": gamma,
                "tokens": tokens,
                "speedup": tokens / (1 + gamma * (cost + verify)),
                "lecture": gamma * alpha,
            }
        )
    return points


def told(p: list[float], q: list[float] | None, keep: list[int]) -> tuple[list[float], list[float] | None]:
    """p and q of the tokens in `keep`; then the others in one where p > q and in one where it is not.

    Within each of the two p - q has one sign, so acceptance and residual are what they are token by token.
    Where nothing was drafted (q is None) the others are one.

    >>> told([0.5, 0.25, 0.25, 0.0], [0.25, 0.0, 0.25, 0.5], [0])
    ([0.5, 0.25, 0.25], [0.25, 0.0, 0.75])
    """
    others = [t for t in range(len(p)) if t not in keep]
    parts = [others] if q is None else [[t for t in others if (p[t] > q[t]) == more] for more in (True, False)]

    def law(x: list[float]) -> list[float]:
        shares = [round(x[t], DIGITS) for t in keep] + [round(sum(x[t] for t in part), DIGITS) for part in parts]
        return [*shares[:-1], round(max(0.0, 1 - sum(shares[:-1])), DIGITS)]

    return law(p), None if q is None else law(q)


def trace() -> list[dict[str, Any]]:
    """Passes of the shipped pair at T = 1, in float64, in the form of a story with words of its own at each place.

    "places": {"words", "p", "q"} of each place that is looked at, with the tokens that matter there; p and q end
    with the others, as in `told`. "drafted": all words; "tokens": those that are looked at, as numbers among the
    place's words. The last uniform number is the middle of the ones that give the same token.
    """
    import torch

    from llmlab.models import load
    from llmlab.models.tokens import pieces

    target, draft, dice = load("target", torch.float64), load("draft", torch.float64), random.Random(SEED)
    words = [piece.decode("utf-8", "replace") for piece in pieces(target.tokenizer, target.vocab_size)]
    text, passes = target.encode(TEXT), []

    def law(lm, ids: list[int]) -> list[float]:
        return lm.next_logits(torch.tensor([ids]))[0].softmax(-1).tolist()

    for _ in range(PASSES):
        tokens, q = [], []
        for _ in range(GAMMA):
            q.append(law(draft, [*text, *tokens]))
            tokens.append(pick(q[-1], dice.random()))
        p = [law(target, [*text, *tokens[:i]]) for i in range(GAMMA + 1)]
        uniforms = [dice.random() for _ in range(GAMMA + 1)]
        *decisions, last = walk(p, q, tokens, uniforms)
        places, chosen = [], []
        for i in range(last["place"] + 1):
            guess = q[i] if i < GAMMA else None
            likely = sorted(range(len(words)), key=lambda t: -max(p[i][t], guess[t] if guess else 0))[:TOP]
            named = {one["token"] for one in (*decisions, last) if one["place"] == i}
            keep = sorted({*likely, *named}, key=lambda t: -p[i][t])
            shown, drawn = told(p[i], guess, keep)
            places.append({"words": [words[t] for t in keep], "p": shown, "q": drawn})
            chosen += [keep.index(tokens[i])] if guess else []
        end = left(shown, drawn) if drawn else shown
        new = keep.index(last["token"])
        passes.append(
            {
                "before": target.decode(text),
                "places": places,
                "drafted": [words[t] for t in tokens],
                "tokens": chosen,
                "uniforms": [round(u, DIGITS) for u in (*uniforms[: len(chosen)], sum(end[:new]) + end[new] / 2)],
                "gained": [words[t] for t in last["gained"]],
            }
        )
        text += last["gained"]
    return passes


def make() -> dict[str, Any]:
    """What speculative.json holds, but for the trace."""
    stories = {
        name: {
            **story,
            "words": WORDS,
            "states": walk(story["p"], story["q"], story["drafted"], story["uniforms"]),
        }
        for name, story in STORIES.items()
    }
    return {
        "stories": stories,
        "curve": {"alpha": 0.8, "cost": 0.1, "verify": 0.0, "points": curve(0.8, 0.1, 0.0)},
    }


def reference() -> dict[str, Any]:
    """What speculative_reference.json holds: steps and curves from a fixed seed."""
    dice = random.Random(11)

    def law() -> list[float]:
        weights = [dice.choice((0, 1, 2, 3, 5, 8)) for _ in range(4)]
        return [w / sum(weights) for w in weights] if any(weights) else [0.25] * 4

    steps = []
    while len(steps) < SETTINGS:
        gamma = dice.randint(1, 4)
        p, q = [law() for _ in range(gamma + 1)], [law() for _ in range(gamma)]
        drafted, uniforms = [pick(x, dice.random()) for x in q], [dice.random() for _ in range(gamma + 1)]
        steps.append(
            {
                "p": p,
                "q": q,
                "drafted": drafted,
                "uniforms": uniforms,
                "states": walk(p, q, drafted, uniforms),
            }
        )
    settings = [
        (round(dice.random(), 2), round(dice.random() / 2, 3), round(dice.random() / 4, 3)) for _ in range(40)
    ]
    curves = [{"alpha": a, "cost": c, "verify": v, "points": curve(a, c, v)} for a, c, v in settings]
    return {"steps": steps, "curves": curves}


if __name__ == "__main__":
    for path, data in ((OUT, {**make(), "trace": trace()}), (REFERENCE, reference())):
        path.write_text(json.dumps(data, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"wrote {path.name}: {path.stat().st_size / 1e3:.0f} kB")
