"""Pictures of a paged cache against numbers computed here, from a manager told by hand."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from llmlab.figures.blocks import GREY, Frame, block_frames, follow, memory_over_time, owners
from llmlab.figures.style import PALETTE


class Told:
    """A manager that plays three moments: a alone, a fork, b with a block of its own."""

    moments = [({"a": [0, 1]}, {"a": 3}, [2, 3]), ({"a": [0, 1], "b": [0, 1]}, {"a": 3, "b": 3}, [2, 3]),
               ({"a": [0, 1], "b": [0, 2]}, {"a": 3, "b": 4}, [3])]

    def __init__(self):
        self.at = -1

    def add(self, name, tokens):
        self.at += 1
        return 0

    def fork(self, name, new):
        self.at += 1

    def append(self, name, token):
        self.at += 1
        return 1, 2

    def snapshot(self):
        tables, lengths, free = self.moments[self.at]
        return {"tables": tables, "lengths": lengths, "free": free, "counts": []}


CALLS = [("add", "a", [5, 6, 7]), ("fork", "a", "b"), ("append", "b", 8)]


def frames():
    return follow(Told(), CALLS)


def test_a_frame_keeps_the_call_its_value_and_the_state_after_it():
    first, second, third = frames()
    assert (first.call, first.value, first.free) == ("add('a', [5, 6, 7])", 0, [2, 3])
    assert second.tables == {"a": [0, 1], "b": [0, 1]} and third.value == (1, 2)


def test_what_a_call_raises_is_not_hidden():
    with pytest.raises(AttributeError):
        follow(Told(), [("add", "a", [1]), ("frok", "a", "b")])


def test_owners_of_shared_and_half_filled_blocks():
    assert owners(frames()[1], 2) == {0: (["a", "b"], 2), 1: (["a", "b"], 1)}
    assert owners(Frame("", None, {"a": [4]}, {"a": 1}, []), 3) == {4: (["a"], 1)}


def boxes(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]


def test_every_block_is_drawn_in_every_frame_and_sharers_share_the_height():
    figure = block_frames(frames(), 4, 2)
    drawn = boxes(figure)
    outlines = [box for box in drawn if box.get_width() == 0.92 and box.get_height() == 0.72]
    free = [box for box in drawn if to_hex(box.get_facecolor()) == GREY]
    assert len(free) == 2 + 2 + 1 == sum(text.get_text() == "free" for text in figure.axes[0].texts)
    assert len(outlines) >= 12
    filled = [box for box in drawn if to_hex(box.get_facecolor()).upper() in PALETTE]
    assert len(filled) == 2 + 4 + (2 + 1 + 1)
    middle = [box for box in filled if 0.6 < box.get_y() < 1.4]
    assert {round(box.get_height(), 6) for box in middle} == {0.36}
    assert sorted(round(box.get_width() / 0.92, 6) for box in middle) == [0.5, 0.5, 1, 1]
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["add('a', [5, 6, 7])", "fork('a', 'b')", "append('b', 8)"]
    for words in ("4 blocks of 2 slots", "a has blocks 0, 1; b has blocks 0, 2", "1 blocks are free", "shared: 0."):
        assert words in figure.alt


def test_an_empty_pool_and_long_calls_can_be_drawn():
    frame = Frame("add('a', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])", 0, {}, {}, [0, 1])
    figure = block_frames([frame], 2, 4)
    assert figure.axes[0].get_yticklabels()[0].get_text().endswith("...")
    assert "no sequence is left" in figure.alt and "none is shared" in figure.alt
    with pytest.raises(ValueError, match="no frames"):
        block_frames([], 2, 4)


def test_memory_lines_are_per_cent_of_the_whole():
    figure = memory_over_time({"one piece": [(10, 80), (30, 80)], "paged": [(40, 44), (60, 64)]}, 80)
    lines = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines] == [[100, 100], [12.5, 37.5], [55, 80], [50, 75]]
    assert "one piece: 25.0% of what was reserved held tokens, on average 25% of the memory" in figure.alt
    assert "paged: 92.6%" in figure.alt and "2 steps" in figure.alt
    for traces in ({}, {"x": []}):
        with pytest.raises(ValueError, match="no steps"):
            memory_over_time(traces, 10)
