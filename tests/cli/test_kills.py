"""kill -9 while a file is being written: it opens, and what is in it is exact up to its end. tests/soak does it a thousand times."""
import kills

TIMES = 20


def test_of_who_records(tmp_path):
    opened, _ = kills.kill_recorders(tmp_path, TIMES)
    assert opened > 0


def test_of_who_is_recorded(tmp_path):
    kills.kill_targets(tmp_path, TIMES)
