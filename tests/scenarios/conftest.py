"""Small label arrays, and the frozen random stream written a second time with the standard library only."""

import random
import zlib
from types import SimpleNamespace

import numpy as np
import pytest

from recollect.scenarios.manifest import SourceData


def source(name="toy", n_classes=10, train=8, test=3, n_pixels=9, shuffle=1):
    """A data set with `train` and `test` samples of every class, in an order fixed by `shuffle`."""
    rng = np.random.default_rng(shuffle)
    return SourceData(
        name=name,
        sha256=f"{name}-content",
        n_classes=n_classes,
        n_pixels=n_pixels,
        train_y=rng.permutation(np.repeat(np.arange(n_classes), train)),
        test_y=rng.permutation(np.repeat(np.arange(n_classes), test)),
    )


class Stream:
    """RandomState([seed, crc32(purpose)]) from the definition of MT19937 in Python's own `random`.

    Both seed the generator by init_by_array with the same two words; the shuffle is Fisher-Yates from the end,
    with indices drawn by masking and rejection, as NumPy's legacy generator has done since 2006.
    """

    def __init__(self, seed, purpose):
        self._bits = random.Random(seed + (zlib.crc32(purpose.encode()) << 32))

    def _below(self, largest):
        mask = (1 << largest.bit_length()) - 1
        while (value := self._bits.getrandbits(32) & mask) > largest:
            pass
        return value

    def permutation(self, values):
        values = list(range(values)) if isinstance(values, int) else list(values)
        for i in range(len(values) - 1, 0, -1):
            j = self._below(i)
            values[i], values[j] = values[j], values[i]
        return values

    def uniform(self, high, n):
        return [high * self._bits.random() for _ in range(n)]


@pytest.fixture(scope="session")
def toy():
    return SimpleNamespace(source=source, stream=Stream)
