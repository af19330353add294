"""Plots drawn from a student's own run. Each takes results (or your functions) and returns a `Drawing`.

A `Drawing` is a matplotlib figure with one thing more: `alt`, a sentence computed from the data, for people
who do not see the picture. In a notebook end the line with a semicolon, otherwise the picture is shown twice.
"""

from llmlab.figures.beam import Branch, Watch, beam_tree, branches, draw_tree
from llmlab.figures.blocks import Frame, block_frames, follow, memory_over_time
from llmlab.figures.drafts import Checked, Followed, draft_strip
from llmlab.figures.grids import weights_on_grids
from llmlab.figures.layers import error_by_layer
from llmlab.figures.masks import seen_columns
from llmlab.figures.measured import measured_roofline, queue_timeline, sample_strips
from llmlab.figures.penalties import penalty_effect, score_against_alpha
from llmlab.figures.roofline import layer_cost_against_length, roofline_plot, throughput_against_latency
from llmlab.figures.style import Drawing
from llmlab.figures.text import nucleus_along_text, repeated_ngrams, repetition_by_strategy
from llmlab.figures.tokens import entropy_against_temperature, next_token_bars

__all__ = [
    "Branch", "Checked", "Drawing", "Followed", "Frame", "Watch", "beam_tree", "block_frames",
    "branches", "draft_strip", "draw_tree", "entropy_against_temperature", "error_by_layer", "follow",
    "layer_cost_against_length", "measured_roofline", "memory_over_time", "next_token_bars",
    "nucleus_along_text", "penalty_effect", "queue_timeline", "repeated_ngrams",
    "repetition_by_strategy", "roofline_plot", "sample_strips", "score_against_alpha", "seen_columns",
    "throughput_against_latency", "weights_on_grids",
]
