"""What clang-tidy has to say: nothing.  Apart from the rest, since it takes minutes and only computes."""
import os
from concurrent.futures import ThreadPoolExecutor

from test_format import compiled, tidy


def test_clang_tidy_is_quiet():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [said for said in pool.map(tidy, compiled()) if said]
    assert not found, "\n".join(found)[-8000:]
