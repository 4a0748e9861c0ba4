import zipfile

import numpy as np
import pytest
from PIL import Image

from recollect.datasets.errors import CorruptData, MissingData
from recollect.datasets.omniglot import load_omniglot, load_omniglot_evaluation, load_omniglot_joined
from recollect.datasets.prepare import prepare_spec
from recollect.datasets.store import open_prepared

ORDER = [("Arcadian", "character01"), ("Arcadian", "character02"), ("Zulu", "character01")]


def expected(image):
    small = image.convert("L").resize((28, 28), Image.Resampling.BILINEAR)
    return 255 - np.asarray(small).astype(int)


@pytest.mark.parametrize(
    ("stem", "load"), [("images_background", load_omniglot), ("images_evaluation", load_omniglot_evaluation)]
)
def test_classes_drawers_and_pixels(tmp_path, official, stem, load):
    drawings = official.omniglot(tmp_path, stem)
    read = load(tmp_path)
    for part, drawers in ((read.train, range(1, 16)), (read.test, range(16, 21))):
        x = np.concatenate(list(part.images))
        assert x.shape == (3 * len(drawers), 1, 28, 28)
        wanted = [(label, key, drawer) for label, key in enumerate(ORDER) for drawer in drawers]
        assert part.y.tolist() == [label for label, _, _ in wanted]
        for row, (_, key, drawer) in enumerate(wanted):
            assert np.array_equal(x[row, 0], expected(drawings[(*key, drawer)]))


def test_joined_has_all_drawers_and_no_test_half(tmp_path, official):
    drawings = official.omniglot(tmp_path)
    read = load_omniglot_joined(tmp_path)
    x = np.concatenate(list(read.train.images))
    wanted = [(label, key, drawer) for label, key in enumerate(ORDER) for drawer in range(1, 21)]
    assert read.train.y.tolist() == [label for label, _, _ in wanted]
    for row, (_, key, drawer) in enumerate(wanted):
        assert np.array_equal(x[row, 0], expected(drawings[(*key, drawer)]))
    assert (len(read.test.y), list(read.test.images)) == (0, [])


def test_joined_is_prepared_with_an_empty_half(tmp_path, official):
    official.omniglot(tmp_path / "data")
    spec = official.spec("omniglot_joined", n_classes=3, train_counts=(20,) * 3, test_counts=(0,) * 3)
    info = prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False)
    opened = open_prepared(tmp_path / "out")
    assert (opened.train_x.shape, opened.test_x.shape) == ((60, 1, 28, 28), (0, 1, 28, 28))
    assert (opened.test_y.shape, info["test"]) == ((0,), {"n": 0, "class_counts": [0, 0, 0]})
    assert prepare_spec(spec, tmp_path / "absent", tmp_path / "out", progress=False) == info


def test_empty_half_is_refused_where_it_is_not_known_to_be(tmp_path, official):
    official.omniglot(tmp_path / "data")
    spec = official.spec("omniglot_joined", n_classes=3)
    with pytest.raises(CorruptData, match="has no images"):
        prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False)


def test_strokes_are_white_on_black(tmp_path, official):
    official.omniglot(tmp_path)
    x = np.concatenate(list(load_omniglot(tmp_path).train.images))
    assert x.mean() < 100


def test_unpacked_folder_gives_the_same(tmp_path, official):
    official.omniglot(tmp_path)
    zipped = np.concatenate(list(load_omniglot(tmp_path).test.images))
    path = tmp_path / "omniglot/images_background.zip"
    zipfile.ZipFile(path).extractall(tmp_path / "omniglot")
    path.unlink()
    assert np.array_equal(np.concatenate(list(load_omniglot(tmp_path).test.images)), zipped)


def test_missing(tmp_path):
    with pytest.raises(MissingData, match=r"omniglot/images_background.zip not found"):
        load_omniglot(tmp_path)


def test_other_archive(tmp_path):
    path = tmp_path / "images_background.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CorruptData, match="not the official archive"):
        load_omniglot(tmp_path)


@pytest.mark.parametrize("body", [b"", b"PK\x03\x04", b"not a zip at all"])
def test_not_a_zip(tmp_path, body):
    (tmp_path / "images_background.zip").write_bytes(body)
    with pytest.raises(CorruptData, match="truncated or damaged"):
        load_omniglot(tmp_path)


def test_truncated_zip(tmp_path, official):
    official.omniglot(tmp_path)
    path = tmp_path / "omniglot/images_background.zip"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CorruptData, match="truncated or damaged"):
        load_omniglot(tmp_path)


def test_image_of_another_size(tmp_path, official):
    path = tmp_path / "images_background.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/character01/0001_01.png", official.encoded(official.stroke(0, (28, 28))))
    with pytest.raises(CorruptData, match="28 x 28 where 105 x 105"):
        list(load_omniglot(tmp_path).train.images)
