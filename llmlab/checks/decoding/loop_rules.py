"""The oracle of generate, one row at a time in plain Python, and the loops that people write instead.

Also the reading of what the model was fed: padding, mask, finished rows, number of calls. Nothing here makes cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from llmlab.checks.compare import show
from llmlab.checks.decoding.fakes import logits_after
from llmlab.checks.protocol import PASS, Event, Model, Verdict

Rows = list[tuple[list[int], str]]


@dataclass(frozen=True, eq=False)
class Loop:
    """One greedy run: what generate was asked. `strict`: also judge what the model was fed."""

    model: Model
    prompts: list[list[int]]
    max_new_tokens: int
    eos_id: int | None = None
    pad_id: int = 0
    stop: tuple[str, ...] = ()
    pieces: list[bytes] | None = None
    strict: bool = True


Found = Callable[[Loop, list[int], list[int]], bool]
"""Does a stop string end the row? Given the run, the row's prompt and its new tokens."""


def text(run: Loop, tokens: Sequence[int]) -> bytes:
    return b"".join(run.pieces[token] for token in tokens)


def found(run: Loop, prompt: list[int], new: list[int]) -> bool:
    """The right test: in the bytes of the new tokens, anywhere."""
    return any(word.encode() in text(run, new) for word in run.stop)


def reference(run: Loop, stopped: Found = found, *, limit: int = 0, eos: bool = True, last_is_length: bool = False) -> Rows:
    """Greedy continuation of every prompt on its own. The defaults are the contract, the rest makes it wrong."""
    rows = []
    for prompt in run.prompts:
        new, why = [], ""
        while not why and len(new) < run.max_new_tokens + limit:
            logits = logits_after(run.model, [*prompt, *new])
            new.append(logits.index(max(logits)))
            if last_is_length and len(new) == run.max_new_tokens:
                why = "length"
            elif eos and new[-1] == run.eos_id:
                why = "eos"
            elif run.stop and stopped(run, prompt, new):
                why = "stop"
        rows.append((new, why or "length"))
    return rows


def restarting(run: Loop, prompt: list[int], new: list[int]) -> bool:
    """Wrong: walks through the text, and after a mismatch begins the stop string anew without looking back."""
    for word in run.stop:
        matched, wanted = 0, word.encode()
        for byte in text(run, new):
            matched = matched + 1 if byte == wanted[matched] else int(byte == wanted[0])
            if matched == len(wanted):
                return True
    return False


def first_to_end(run: Loop) -> Rows:
    """Wrong: the whole batch ends with its first row."""
    rows = reference(run)
    steps = min(len(new) for new, _ in rows)
    return [(new[:steps], why if len(new) <= steps else "length") for new, why in rows]


def wrong_stops() -> list[tuple[str, Found, str]]:
    """Ways to look for a stop string that fail."""
    def loosely(errors: str) -> Found:
        return lambda run, _, new: any(
            word in "".join(run.pieces[token].decode("utf-8", errors) for token in new) for word in run.stop)

    letters = "The bytes of each token were decoded on their own: a character may be spread over two tokens. Join the bytes."
    return [
        ("stop-within-one-token", lambda run, _, new: any(word.encode() in run.pieces[new[-1]] for word in run.stop),
         "Only the last token was searched. A stop string may be spread over several tokens."),
        ("stop-searches-prompt", lambda run, prompt, new: any(w.encode() in text(run, [*prompt, *new]) for w in run.stop),
         "The prompt was searched too. Only new text counts."),
        ("stop-at-end-of-token-only", lambda run, _, new: any(text(run, new).endswith(word.encode()) for word in run.stop),
         "The new text had to end in the stop string. A token may go on behind it: look for it anywhere."),
        ("stop-decodes-token-by-token", loosely("replace"), letters),
        ("stop-decodes-token-by-token", loosely("ignore"), letters),
        ("stop-restarts-after-mismatch", restarting,
         "After a mismatch the search began anew behind it. The stop string may begin inside of what had matched."),
        ("stop-first-string-only", lambda run, _, new: run.stop[0].encode() in text(run, new),
         "Only the first of the stop strings was looked for."),
        ("stop-last-string-only", lambda run, _, new: run.stop[-1].encode() in text(run, new),
         "Only the last of the stop strings was looked for."),
        ("stop-needs-all", lambda run, _, new: all(word.encode() in text(run, new) for word in run.stop),
         "The row went on until all stop strings had occurred. One is enough."),
        ("stop-ignored", lambda run, _, new: False, "The stop strings had no effect."),
    ]


def wrong_loops(run: Loop) -> list[tuple[str, Callable[[], Rows], str]]:
    """(misconception, the result it leads to, what was done) for everything that shows in the result."""
    right = reference(run)

    def without_last(reason: str) -> Rows:
        return [(new[:-1] if why == reason else new, why) for new, why in right]

    made = [
        ("drops-eos", lambda: without_last("eos"), "The EOS token is missing. It is kept as the last token."),
        ("drops-stop-token", lambda: without_last("stop"), "The token that completes the stop string is missing; keep it."),
        ("returns-prompt-too", lambda: [([*prompt, *new], why) for prompt, (new, why) in zip(run.prompts, right, strict=True)],
         "The prompt came back with the new tokens. Return the new tokens only."),
        ("one-token-too-many", lambda: reference(run, limit=1), "One token more than max_new_tokens."),
        ("one-token-too-few", lambda: reference(run, limit=-1), "One token fewer than max_new_tokens."),
        ("eos-ignored", lambda: reference(run, eos=False), "Rows went on after the EOS token."),
        ("length-hides-reason", lambda: reference(run, last_is_length=True),
         "A row that ends by itself at its last allowed token was called \"length\". EOS and stop come first."),
        ("one-row-ends-all", lambda: first_to_end(run), "All rows ended when the first one did. The others go on."),
    ]
    if run.stop:
        made += [(name, lambda rule=rule: reference(run, rule), words) for name, rule, words in wrong_stops()]
    return made


def goes_on(run: Loop, right: Rows, got: Rows) -> bool:
    """True if rows are right up to their end and were then written on."""
    return any(len(a) > len(b) for (a, _), (b, _) in zip(got, right, strict=True)) and all(
        a[:len(b)] == b for (a, _), (b, _) in zip(got, right, strict=True))


def fed_first(run: Loop, ids: torch.Tensor, mask: torch.Tensor) -> Verdict:
    """The first call: every prompt at the right edge, mask 1 on it, pad_id with mask 0 before it."""
    if len(ids) != len(run.prompts):
        if len(ids) == 1:
            return Verdict(False, f"The model was called on one row, with {len(run.prompts)} prompts given: feed all rows "
                           "in one batch.", misconception="one-row-at-a-time")
        return Verdict(False, f"The model was called on {len(ids)} rows, with {len(run.prompts)} prompts given.")
    width = ids.shape[1]
    for row, (tokens, ones, prompt) in enumerate(zip(ids.tolist(), mask.tolist(), run.prompts, strict=True)):
        pads = width - len(prompt)
        if ones == [0] * pads + [1] * len(prompt) and tokens[pads:] == prompt and set(tokens[:pads]) <= {run.pad_id}:
            continue
        name, words = _why(tokens, ones, prompt, run.pad_id)
        return Verdict(False, f"First call of the model, row {row}: {words}",
                       f"ids {[run.pad_id] * pads + prompt}, mask {[0] * pads + [1] * len(prompt)}",
                       f"ids {tokens}, mask {ones}", name)
    return PASS


def _why(tokens: list[int], ones: list[int], prompt: list[int], pad_id: int) -> tuple[str, str]:
    width, pads = len(tokens), len(tokens) - len(prompt)
    if pads < 0:
        return "truncates-prompts", f"the prompt has {len(prompt)} tokens, but {width} columns were fed. Pad to the longest."
    aligned = tokens[pads:] == prompt
    if not aligned and tokens[:len(prompt)] == prompt:
        return "right-padding", "the padding is on the right. The last column must hold the last token of every row: pad left."
    if aligned and all(ones):
        return "mask-omitted", "the mask is 1 on padding too. The model then reads the padding as text."
    if aligned and ones == [1] * pads + [0] * len(prompt):
        return "mask-inverted", "the mask is the wrong way round: 1 on real tokens, 0 on padding."
    if aligned and pad_id in prompt and ones == [int(token != pad_id) for token in tokens]:
        return "mask-from-pad-id", "a real token that equals pad_id was masked. Make the mask from the lengths."
    if aligned and ones == [0] * pads + [1] * len(prompt):
        return "", f"the padding is not pad_id, {pad_id}."
    return "", "ids or mask are not the prompt behind its padding."


def fed(run: Loop, right: Rows, events: Sequence[Event]) -> Verdict:
    """Every call, given that the result was right: padding, mask, finished rows, number of calls."""
    calls = [(event.data["ids"], event.data["attention_mask"]) for event in events if event.kind == "model"]
    steps = max(len(new) for new, _ in right)
    if not calls:
        return Verdict(False, "The model was never called.", f"{steps} calls", "0 calls")
    verdict = fed_first(run, *calls[0])
    if not verdict.ok:
        return verdict
    for step, (ids, mask) in enumerate(calls[:steps]):
        if len(ids) != len(run.prompts):
            return Verdict(False, f"Call {step + 1} of the model had {len(ids)} rows. Keep all {len(run.prompts)} rows in the "
                           "batch, the ended ones masked.", misconception="batch-changes-size")
        for row, (prompt, (new, _)) in enumerate(zip(run.prompts, right, strict=True)):
            tokens, ones = ids[row].tolist(), mask[row].tolist()
            if len(new) <= step:
                ending = len(new) == step and (tokens[-1], ones[-1]) == (new[-1], 1)  # its last token may still be fed
                if not ending and (ones[-1] or tokens[-1] != run.pad_id):
                    return Verdict(False, f"Call {step + 1} of the model: row {row} had ended, but was fed token {tokens[-1]} "
                                   f"with mask {ones[-1]}.", f"{run.pad_id} with mask 0", f"{tokens[-1]} with mask {ones[-1]}",
                                   "feeds-finished-rows")
                continue
            want = prompt + new[:step]
            pads = len(tokens) - len(want)
            if tokens[max(pads, 0):] != want or ones != [0] * pads + [1] * len(want):
                return Verdict(False, f"Call {step + 1} of the model: row {row} should end in its {len(want)} real tokens, "
                               "with mask 1 there and 0 before.", show(want), f"ids {tokens}, mask {ones}")
    if len(calls) > steps:
        return Verdict(False, f"The model was called {len(calls)} times, but every row had ended after {steps}. Stop then.",
                       f"{steps} calls", f"{len(calls)} calls", "calls-after-all-ended")
    return PASS
