from pathlib import Path

import numpy as np

from recollect.datasets.digits import every_fifth, load_digits


def test_every_fifth_of_each_label():
    y = np.array([0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0])
    assert np.flatnonzero(every_fifth(y)).tolist() == [5, 9]


def test_digits_are_scaled_and_split():
    from sklearn import datasets

    raw, labels = datasets.load_digits(return_X_y=True)
    read = load_digits(Path("unused"))
    mask = every_fifth(labels)
    for part, rows in ((read.train, ~mask), (read.test, mask)):
        x = np.concatenate(list(part.images))
        assert x.dtype == np.uint8
        assert np.array_equal(x.reshape(len(x), 64), np.rint(raw[rows] * 255 / 16))
        assert np.array_equal(part.y, labels[rows])
    assert (len(read.train.y), len(read.test.y)) == (1442, 355)
