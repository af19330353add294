"""Plots of measured times: what is drawn, against the numbers that were given."""

import statistics

import pytest

from llmlab.devices import simulated
from llmlab.figures.measured import measured_roofline, queue_timeline, sample_strips, short

POINTS = {"matmul": [(300.0, 4e14), (40.0, 1e14)], "decode": [(1.0, 2e12)], "none": []}


def drawn(figure, gid):
    return [line for line in figure.axes[0].lines if line.get_gid() == gid]


def test_the_roof_bends_at_the_ridge_and_no_point_is_moved():
    figure = measured_roofline(POINTS, peak_flop_per_s=1e15, peak_byte_per_s=4e12, device="a device")
    roof = drawn(figure, "roof")[0]
    xs, ys = (list(values) for values in roof.get_data())
    assert xs[1] == 250.0 and ys == [xs[0] * 4e12, 1e15, 1e15] and xs[0] < 1.0 and xs[2] > 300
    matmul, decode = drawn(figure, "points")
    assert [list(values) for values in matmul.get_data()] == [[40.0, 300.0], [1e14, 4e14]]
    assert [list(values) for values in decode.get_data()] == [[1.0], [2e12]]
    assert matmul.get_marker() != decode.get_marker() and matmul.get_linestyle() != decode.get_linestyle()
    assert figure.axes[0].get_xscale() == figure.axes[0].get_yscale() == "log"
    for words in ("a device", "1 PFLOP/s at 250 FLOP per byte", "matmul at 40 to 300 FLOP per byte reach 40% to 62%",
                  "decode at 1 to 1 FLOP per byte reach 50% to 50%"):
        assert words in figure.alt


@pytest.mark.parametrize("points", [{}, {"a": []}, {"a": [(1.0, 0.0)]}, {"a": [(-1.0, 2.0)]}])
def test_a_roofline_without_a_point_is_refused(points):
    with pytest.raises(ValueError, match="at least one point"):
        measured_roofline(points, peak_flop_per_s=1.0, peak_byte_per_s=1.0, device="x")


def test_strips_mark_median_and_mean():
    times = [1.0, 1.1, 1.2, 1.3, 9.0]
    figure = sample_strips({"good": times, "other": [2.0]})
    assert [line.get_xdata()[0] for line in drawn(figure, "median")] == [1.2, 2.0]
    assert [line.get_xdata()[0] for line in drawn(figure, "mean")] == [statistics.fmean(times), 2.0]
    assert list(drawn(figure, "samples")[0].get_xdata()) == times
    assert "good: median 1.2, mean 2.72, from 1 to 9" in figure.alt
    with pytest.raises(ValueError, match="all above 0"):
        sample_strips({"bad": [1.0, 0.0]})


def test_a_timeline_has_a_lane_for_host_and_device():
    device = simulated(jitter=0.0, stragglers=0.0, ramp=0)
    device.run("matvec")
    device.synchronize()
    before = len(device.trace)
    device.flush()
    device.run("matmul")
    device.synchronize()
    figure = queue_timeline([span for span in device.trace[before:] if span.what != "compile matmul"])
    bars = {"host": [], "device": []}
    for bar in figure.axes[0].patches:
        bars[bar.get_gid()].append((bar.get_x(), bar.get_width()))
    assert len(bars["host"]) == 3 and [round(width) for _, width in bars["device"]] == [80, 310]
    assert bars["device"][0][0] == pytest.approx(5), "the device begins when the launch is over"
    assert "flush from 5 to 85" in figure.alt and "matmul from" in figure.alt
    with pytest.raises(ValueError, match="no spans"):
        queue_timeline([])


def test_numbers_get_the_prefix_of_their_size():
    found = [short(x) for x in (1.0, 999.0, 1e3, 3.35e12, 9.89e14, 0.02)]
    assert found == ["1 ", "999 ", "1 k", "3.35 T", "989 T", "0.02 "]
