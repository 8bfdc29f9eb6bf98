"""10,000 starts, stops and resets: from inside against the oracle, from outside in the storm; and nothing is left of it."""
import shutil

import pytest

import bench_dormant
from test_orders import run_exact, run_storm

ORDERS = 10_000


def test_exact_from_inside():
    given, seed = 0, 1000
    while given < ORDERS:
        given += run_exact(seed, 100)
        seed += 1


def test_storm(run_directory, tmp_path):
    """As many from outside, and the program's own thread gives some thousands meanwhile."""
    assert run_storm(tmp_path, 2, ORDERS) > ORDERS // 10


@pytest.mark.skipif(not shutil.which("valgrind"), reason="needs valgrind to count instructions")
@pytest.mark.parametrize("kind", bench_dormant.KINDS[1:])
def test_dormant_again(kind):
    """Instructions of a call, counted by callgrind: no more than of one that was never decorated."""
    plain, decorated = bench_dormant.instructions("undecorated"), bench_dormant.instructions(kind)
    assert 0 < decorated <= plain * (1 + bench_dormant.INSTRUCTION_SHARE)
