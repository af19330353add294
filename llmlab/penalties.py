"""Penalties: change the logits of tokens that were already used, so that a text does not run in circles.

Three soft ones (repetition, presence, frequency) make a token less likely, a hard one (no_repeat_ngram) forbids it,
and `penalize` applies all four in order. They only reshape logits: picking a token is the business of `decoding`.
`length_penalty` is of another kind: it rescales the score of a finished hypothesis in beam search.

Shapes: logits (B, V) float; prompt (B, P) and generated (B, G) int64 token ids, the text of each row up to now.
P and G may be 0. Rows do not know of each other. Nothing changes its input; the dtype of the logits is kept; a
logit of -inf stays -inf.
"""

from __future__ import annotations

import math

import torch


def repetition_penalty(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor,
                       penalty: float) -> torch.Tensor:
    """Make every token that occurs in the prompt or in the generated text less likely, if penalty > 1.

    z -> z / penalty where z > 0, z -> z * penalty where z <= 0: both push z down. A token counts once, however
    often it occurs. penalty = 1 changes nothing, a penalty below 1 makes repeating more likely.
    Unlike softmax, the rule depends on where the zero of the logits lies: apply it to the logits as they come.

    logits: (B, V) float; prompt: (B, P), generated: (B, G) int64; penalty: > 0. Returns (B, V), same dtype.
    Raises ValueError, naming the penalty, if it is not a finite number above 0.
    Source: Keskar et al. 2019, "CTRL", section 4.1; signs, and the prompt, as in Hugging Face's
    RepetitionPenaltyLogitsProcessor.

    >>> z = torch.tensor([[3.0, -1.0, 2.0, -2.0]])
    >>> repetition_penalty(z, torch.tensor([[0]]), torch.tensor([[1, 1]]), 2.0)
    tensor([[ 1.5000, -2.0000,  2.0000, -2.0000]])
    """
    raise NotImplementedError(
        "Lab 1, task penalties.repetition_penalty: divide positive and multiply negative logits of tokens"
        " that occurred. Read part1/penalties.html#sec-repetition-penalty"
    )


def presence_penalty(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor,
                     penalty: float) -> torch.Tensor:
    """Subtract the penalty, once, from the logit of every token that was generated at least once.

    It asks whether a token occurred, not how often. Tokens of the prompt do not count. penalty = 0 changes
    nothing, a negative one makes repeating more likely.

    logits: (B, V) float; prompt: (B, P), generated: (B, G) int64. Returns (B, V), same dtype.
    Raises ValueError, naming the penalty, if it is not a finite number.
    Source: OpenAI's API documentation, "Frequency and presence penalties":
    z_j - count_j * frequency - (1 if count_j > 0 else 0) * presence.

    >>> presence_penalty(torch.zeros(1, 4), torch.tensor([[3]]), torch.tensor([[1, 2, 1]]), 0.5)
    tensor([[ 0.0000, -0.5000, -0.5000,  0.0000]])
    """
    raise NotImplementedError(
        "Lab 1, task penalties.presence_penalty: subtract a constant once from every generated token. "
        "Read part1/penalties.html#sec-presence-frequency"
    )


def frequency_penalty(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor,
                      penalty: float) -> torch.Tensor:
    """Subtract the penalty from a token's logit as many times as the token was generated.

    Tokens of the prompt do not count. penalty = 0 changes nothing, a negative one makes repeating more likely.

    logits: (B, V) float; prompt: (B, P), generated: (B, G) int64. Returns (B, V), same dtype.
    Raises ValueError, naming the penalty, if it is not a finite number.
    Source: OpenAI's API documentation, "Frequency and presence penalties":
    z_j - count_j * frequency - (1 if count_j > 0 else 0) * presence.

    >>> frequency_penalty(torch.zeros(1, 4), torch.tensor([[3]]), torch.tensor([[1, 2, 1]]), 0.5)
    tensor([[ 0.0000, -1.0000, -0.5000,  0.0000]])
    """
    raise NotImplementedError(
        "Lab 1, task penalties.frequency_penalty: subtract a constant from a token for each time it was "
        "generated. Read part1/penalties.html#sec-presence-frequency"
    )


def no_repeat_ngram(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor, n: int) -> torch.Tensor:
    """Forbid every token that would complete an n-gram for the second time, in prompt and generated text together.

    The last n - 1 tokens of the text are looked up in all of it: each token that followed them before gets -inf.
    With n = 1 every token of the text is forbidden. A text of fewer than n tokens forbids nothing.

    logits: (B, V) float; prompt: (B, P), generated: (B, G) int64; n: int >= 1. Returns (B, V), same dtype.
    Raises ValueError, naming n, below 1 or if it is not an int.
    Source: Paulus et al. 2017, "A deep reinforced model for abstractive summarization", section 2.5; the prompt
    counts as in Hugging Face's NoRepeatNGramLogitsProcessor.

    >>> no_repeat_ngram(torch.zeros(1, 5), torch.tensor([[1, 2, 3, 1, 2, 4]]), torch.tensor([[1, 2]]), 3)
    tensor([[0., 0., 0., -inf, -inf]])
    """
    raise NotImplementedError(
        "Lab 1, task penalties.no_repeat_ngram: forbid every token that would complete an n-gram a second"
        " time. Read part1/penalties.html#sec-no-repeat-ngram"
    )


def length_penalty(logprob_sum: float | torch.Tensor, length: int | torch.Tensor, alpha: float,
                   form: str = "hf") -> float | torch.Tensor:
    """The score by which hypotheses of different lengths are compared in beam search.

      form "hf":    logprob_sum / length ** alpha
      form "gnmt":  logprob_sum / ((5 + length) / 6) ** alpha

    A sum of log-probabilities gets lower with every token. alpha = 0 leaves it so, and short hypotheses win;
    the larger alpha, the better for long ones. With the same alpha the second form is much milder.

    logprob_sum: (...) float tensor, or a float; length: (...) int64 of the same shape, or an int: new tokens, EOS
    included, at least 1. Returns scores of that shape. Raises ValueError, naming the value, for a length below 1 and
    an unknown form.
    Source: Wu et al. 2016, "Google's neural machine translation system", section 7, equation 14, for "gnmt"; Hugging
    Face's `generate` for "hf".

    >>> length_penalty(-6.0, 4, 1.0), length_penalty(-6.0, 4, 1.0, form="gnmt")
    (-1.5, -4.0)
    """
    raise NotImplementedError(
        "Lab 1, task penalties.length_penalty: rescale a sum of log-probabilities by the length of the "
        "hypothesis. Read part1/beam.html#sec-length-penalty"
    )


def penalize(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor, *, repetition: float = 1.0,
             presence: float = 0.0, frequency: float = 0.0, no_repeat_ngram: int = 0) -> torch.Tensor:
    """Apply all penalties to the logits, in this order: repetition, frequency, presence, n-gram ban.

    The order matters: repetition scales a logit, so it gives another result after the subtractions than before.
    The defaults switch everything off; no_repeat_ngram=0 means no ban. Inside this function that name is the
    number, not the function above: reach the function through a helper, or `globals()["no_repeat_ngram"]`.

    logits: (B, V) float; prompt: (B, P), generated: (B, G) int64; the penalties as in the functions of these names.
    Returns (B, V), same dtype. Raises ValueError as they do, and for a no_repeat_ngram below 0.
    Source: the order in which vLLM applies the soft penalties.

    >>> z = torch.tensor([[4.0, 4.0, 4.0]])
    >>> penalize(z, torch.tensor([[0]]), torch.tensor([[1, 1]]), repetition=2.0, presence=0.5, frequency=0.25)
    tensor([[2., 1., 4.]])
    """
    raise NotImplementedError(
        "Lab 1, task penalties.penalize: apply repetition, frequency, presence and the n-gram ban, in "
        "this order. Read part1/penalties.html#sec-tuning"
    )
