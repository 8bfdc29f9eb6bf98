"""1,000 times kill -9 of who records, of who is recorded, and of `tscap run`: tests/cli has the short forms."""
import os

import kills
from processes import environment_without_us

TIMES = 1000


def test_of_who_records(run_directory, tmp_path):
    opened, cut = kills.kill_recorders(tmp_path, TIMES)
    print("%d files had a look, %d were cut within a block" % (opened, cut))
    assert opened > TIMES // 10


def test_of_who_is_recorded(run_directory, tmp_path):
    kills.kill_targets(tmp_path, TIMES)


def test_of_run(run_directory, tmp_path):
    assert kills.kill_runs(tmp_path, TIMES, environment={**environment_without_us(), "TSCAP_DIR": os.environ["TSCAP_DIR"]}) > 0
