"""Plots of cost: what is drawn, against arithmetic done here. No lab function is used."""

import numpy as np
import pytest

from llmlab.figures import layer_cost_against_length, roofline_plot, throughput_against_latency

CHIP = {"flops": 1e15, "bandwidth": 5e12, "memory": 100}


def roof(chip, flops, moved):
    x = flops / moved
    return {"intensity": x, "flops_per_second": min(chip["flops"], x * chip["bandwidth"])}


def test_points_lie_where_the_function_says_and_the_roof_where_the_chip_says():
    work = {"decode": [(1e12, 1e12), (8e12, 1e12)], "prefill": [(5e15, 1e12)]}
    figure = roofline_plot(CHIP, work, name="a chip", roofline=roof)
    axes = figure.axes[0]
    line = axes.lines[0]
    assert line.get_xdata()[1] == 200 and list(line.get_ydata()[1:]) == [1e15, 1e15]
    assert line.get_ydata()[0] == pytest.approx(line.get_xdata()[0] * 5e12)
    shown = {item.get_label(): item for item in axes.lines}
    np.testing.assert_allclose(shown["decode"].get_xydata(), [[1, 5e12], [8, 4e13]])
    np.testing.assert_allclose(shown["prefill"].get_xydata(), [[5000, 1e15]])
    assert axes.get_xscale() == axes.get_yscale() == "log" and "a chip" in axes.get_title("left")
    for words in ("peak 1e+03 TFLOP/s", "ridge at 200", "decode: 2 points, intensity 1 to 8, 2 left", "prefill: 1 points"):
        assert words in figure.alt
    with pytest.raises(ValueError, match="no point"):
        roofline_plot(CHIP, {}, roofline=roof)


def test_batches_that_do_not_fit_are_hollow():
    def step(model, chip, batch, context):
        seconds = (10 + batch * context * model["kv"]) / 1000
        return {"seconds": seconds, "tokens_per_second": batch / seconds}

    models = {"wide": {"kv": 2}, "narrow": {"kv": 1}}
    figure = throughput_against_latency(models, CHIP, 5, [1, 4, 16], step, lambda model, chip, context: 8 // model["kv"])
    axes = figure.axes[0]
    lines = [line for line in axes.lines if line.get_label() == "_line"]
    np.testing.assert_allclose(lines[0].get_xdata(), [20, 50, 170])
    np.testing.assert_allclose(lines[0].get_ydata(), [1 / 0.02, 4 / 0.05, 16 / 0.17])
    hollow = [line for line in axes.lines if line.get_label() == "_outside"]
    assert [len(line.get_xdata()) for line in hollow] == [1, 1]
    assert all(line.get_markerfacecolor() == "none" for line in hollow)
    assert sorted(text.get_text() for text in axes.texts) == sorted(["1", "4", "16"] * 2)
    assert "wide: from 20.0 ms and 50 tokens per second at batch 1" in figure.alt and "up to 4 sequences fit" in figure.alt


def test_shares_add_up_and_the_half_is_found():
    def attention(model, batch, new, context):
        linear = model["d"] * new
        return {"q": linear, "k": linear, "v": linear, "output": linear, "scores": 2 * new * context, "values": 2 * new * context}

    figure = layer_cost_against_length({"d": 100}, [10, 100, 200, 400], attention, lambda model, tokens: 400 * tokens)
    areas = figure.axes[0].collections
    assert len(areas) == 3
    share = 4 * 400 / (4 * 400 + 400 + 400)
    top = areas[2].get_paths()[0].vertices
    assert top[:, 1].max() == pytest.approx(1.0)
    assert min(y for x, y in top if x == 400) == pytest.approx(1 - share)
    assert f"{share:.0%} at 400" in figure.alt and "half at 200" in figure.alt
    flat = layer_cost_against_length({"d": 100}, [1, 2], attention, lambda model, tokens: 400 * tokens)
    assert "never reach half" in flat.alt
