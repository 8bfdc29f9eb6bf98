"""`Profiler.repeat()`, and what its times say."""
import math
import statistics
import time

import pytest

from timestamp_capture.stichotrope import Profiler, RepeatResult
from timestamp_capture.stichotrope._repeat import student_t_95

pytestmark = pytest.mark.usefixtures("recorder")

# The two-sided 95 % points of Student's t, as tables print them.
TABLE = {
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228, 15: 2.131, 20: 2.086, 29: 2.045, 30: 2.042,
    40: 2.021, 60: 2.000, 100: 1.984, 120: 1.980, 1000: 1.962, 100_000: 1.960,
}


@pytest.mark.parametrize("freedom", TABLE)
def test_student_t(freedom):
    assert student_t_95(freedom) == pytest.approx(TABLE[freedom], abs=0.0006)


def test_the_series_and_the_expansion_meet():
    assert student_t_95(400) == pytest.approx(student_t_95(401), abs=2e-5) and student_t_95(400) > student_t_95(401)


def test_statistics():
    times = [100, 102, 98, 101, 99, 100, 180]
    result = RepeatResult("f", times)
    assert (result.iterations, result.total_time_ns, result.min_time_ns, result.max_time_ns) == (7, 780, 98, 180)
    assert result.mean_time_ns == pytest.approx(780 / 7) and result.std_time_ns == statistics.stdev(times)
    low, high = result.confidence_interval_ns
    assert (low + high) / 2 == pytest.approx(result.mean_time_ns)
    assert (high - low) / 2 == pytest.approx(2.447 * statistics.stdev(times) / math.sqrt(7), rel=1e-3)
    assert result.outliers_ns == [180]


def test_outliers_are_beyond_one_and_a_half_ranges():
    """Quartiles 2 and 4: from -1 to 7 none is one."""
    assert RepeatResult("f", [1, 2, 3, 4, 7]).outliers_ns == []
    assert RepeatResult("f", [-2, 2, 3, 4, 8]).outliers_ns == [-2, 8]
    assert RepeatResult("f", [1, 1, 100]).outliers_ns == []


def test_a_single_run():
    result = RepeatResult("f", [5])
    assert (result.mean_time_ns, result.std_time_ns, result.confidence_interval_ns, result.outliers_ns) == (5, 0.0, (-math.inf, math.inf), [])


def test_repeat():
    profiler = Profiler("repeat")
    result = profiler.repeat(5, lambda: time.sleep(0.002))
    assert result.iterations == 5 and result.min_time_ns >= 2_000_000 and result.name == "<lambda>"
    assert profiler.get_results().total_hits == 0


def test_each_run_is_a_hit():
    profiler = Profiler("repeat")

    @profiler.track(1, "inside")
    def function():
        pass

    result = profiler.repeat(7, function, track_idx=0)
    profiler.stop()
    assert profiler.repeat(2, function, track_idx=0).iterations == 2
    tracks = profiler.get_results().tracks
    assert [(block.name, block.hit_count) for track in tracks for block in track.blocks] == [("inside", 7), ("function", 7)]
    assert tracks[0].total_time_ns >= result.total_time_ns


def test_exceptions_pass_through():
    profiler = Profiler("repeat")
    with pytest.raises(ZeroDivisionError):
        profiler.repeat(3, lambda: 1 / 0, track_idx=0, name="fails")
    block = profiler.get_results().tracks[0].blocks[0]
    assert (block.name, block.hit_count, block.exception_count) == ("fails", 1, 1)
