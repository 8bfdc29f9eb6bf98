"""Long forms of what is asked of a session: many threads, many starts and stops."""
from test_yappi import count_in_many_threads
from test_yappi_storm import storm


def test_two_thousand_threads(run_directory):
    count_in_many_threads(2000)


def test_ten_thousand_orders_from_four_threads():
    assert storm(1000, 10_000) > 10_000
