import numpy as np
import pytest

from recollect.datasets.errors import CorruptData, MissingData
from recollect.datasets.mnist import load_fashion_mnist, load_mnist


def pixels(part):
    return np.concatenate(list(part.images))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("folder", "load"),
    [
        ("mnist", load_mnist),
        ("MNIST/raw", load_mnist),
        ("fashion_mnist", load_fashion_mnist),
        ("FashionMNIST/raw", load_fashion_mnist),
    ],
)
def test_layouts(tmp_path, official, folder, load, zipped):
    made = official.mnist(tmp_path, folder, zipped)
    read = load(tmp_path)
    assert np.array_equal(pixels(read.train)[:, 0], made.train_x)
    assert np.array_equal(pixels(read.test)[:, 0], made.test_x)
    assert read.train.y.dtype == np.int64
    assert np.array_equal(read.train.y, made.train_y)
    assert np.array_equal(read.test.y, made.test_y)
    assert len(read.files) == 4


def test_missing_file_says_where_it_looked(tmp_path, official):
    official.mnist(tmp_path)
    (tmp_path / "mnist/t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(MissingData) as error:
        load_mnist(tmp_path)
    assert error.value.wanted == ("mnist/t10k-images-idx3-ubyte.gz",)
    assert "mnist/t10k-images-idx3-ubyte, MNIST/raw/t10k-images" in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_images_and_labels_that_do_not_belong_together(tmp_path, official):
    official.mnist(tmp_path, zipped=False)
    (tmp_path / "mnist/t10k-labels-idx1-ubyte").write_bytes(official.idx_bytes(np.zeros(9)))
    with pytest.raises(CorruptData, match=r"10 images but .* 9 labels"):
        load_mnist(tmp_path)


def test_swapped_files_are_told_by_the_magic_number(tmp_path, official):
    official.mnist(tmp_path, zipped=False)
    home = tmp_path / "mnist"
    (home / "train-labels-idx1-ubyte").rename(home / "train-images-idx3-ubyte")
    (home / "train-labels-idx1-ubyte").write_bytes(official.idx_bytes(np.zeros(20)))
    with pytest.raises(CorruptData, match="swapped"):
        load_mnist(tmp_path)
