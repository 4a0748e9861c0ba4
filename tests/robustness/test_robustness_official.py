"""Hand-made archives in the official layouts: which files count, and what is refused."""

import numpy as np
import pytest

from recollect.datasets.errors import CorruptData
from recollect.robustness.official import find_archive, read_archive
from recollect.robustness.sets import SETS

N = 12
RNG = np.random.default_rng(0)
TEST_X = RNG.integers(0, 256, (N, 3, 8, 8), dtype=np.uint8)
TEST_Y = np.arange(N) % 4
IMAGES = TEST_X.transpose(0, 2, 3, 1)


def corruptions(folder):
    folder.mkdir(parents=True)
    for name in ("snow", "fog"):
        np.save(folder / f"{name}.npy", np.tile(IMAGES, (5, 1, 1, 1)))
    np.save(folder / "other.npy", np.zeros((3, 8, 8, 3), np.uint8))
    np.save(folder / "labels.npy", np.tile(TEST_Y, 5).astype(np.uint8))
    return folder


def perturbations(folder, images=IMAGES):
    folder.mkdir(parents=True)
    for name, length in (("tilt", 5), ("noise", 4)):
        np.save(folder / f"{name}.npy", np.repeat(images[:, None], length, axis=1))
    np.save(folder / "difficulty.npy", np.zeros(N))
    return folder


def read(folder, kind):
    return read_archive(folder, kind, "CIFAR-100-X", TEST_X, TEST_Y)


def test_corruptions_are_the_files_of_the_right_shape_after_the_labels(tmp_path):
    files = read(corruptions(tmp_path / "C"), "corruptions")
    assert [file.name for file in files] == ["labels", "fog", "snow"]


def test_perturbations_are_sequences_of_any_length(tmp_path):
    files = read(perturbations(tmp_path / "P"), "perturbations")
    assert [(file.name, file.open().shape[1]) for file in files] == [("noise", 4), ("tilt", 5)]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: (f / "labels.npy").unlink(), "has no labels.npy"),
        (lambda f: np.save(f / "labels.npy", TEST_Y), r"holds int64 \(12,\), 60 labels are expected"),
        (lambda f: np.save(f / "labels.npy", np.tile(TEST_Y, 5) * 1.0), "60 labels are expected"),
        (lambda f: np.save(f / "labels.npy", np.zeros(60, int)), "does not have the test set's images per class"),
        (lambda f: np.save(f / "labels.npy", np.full(60, -1)), "does not have the test set's images per class"),
        (lambda f: [(f / n).unlink() for n in ("fog.npy", "snow.npy")], "no .npy file of 60 x 8 x 8 x 3"),
    ],
)
def test_wrong_corruptions_are_one_sentence(tmp_path, damage, says):
    folder = corruptions(tmp_path / "C")
    damage(folder)
    with pytest.raises(CorruptData, match=says) as error:
        read(folder, "corruptions")
    assert str(folder) in str(error.value)


def test_sequences_in_another_order_are_refused(tmp_path):
    folder = perturbations(tmp_path / "P", np.roll(IMAGES, 1, axis=0))
    with pytest.raises(CorruptData, match="do not show the prepared test images in their order"):
        read(folder, "perturbations")


def test_no_sequences(tmp_path):
    with pytest.raises(CorruptData, match=r"no .npy file of 12 x frames x 8 x 8 x 3"):
        read(corruptions(tmp_path / "C"), "perturbations")


def test_places_of_the_archives(tmp_path):
    archive = SETS["cifar100"].archives["corruptions"]
    assert find_archive(tmp_path, archive) is None
    (tmp_path / "cifar100").mkdir()
    (tmp_path / "cifar100/CIFAR-100-C.tar").touch()
    assert find_archive(tmp_path, archive) == tmp_path / "cifar100/CIFAR-100-C.tar"
    (tmp_path / "CIFAR-100-C").mkdir()
    assert find_archive(tmp_path, archive) == tmp_path / "CIFAR-100-C"
