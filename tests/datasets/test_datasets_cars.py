import io
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from recollect.datasets.cars import load_cars
from recollect.datasets.errors import CorruptData, MissingData


def photo(seed):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def annotate(file, rows):
    """As the official files: one struct array `annotations` with a bounding box, a class and a file name."""
    kinds = [("bbox_x1", "O"), ("class", "O"), ("fname", "O")]
    file.parent.mkdir(parents=True, exist_ok=True)
    savemat(file, {"annotations": np.array([(5, label, name) for name, label in rows], dtype=kinds)[None]})


def lay_out(folder, train=(("00002.jpg", 3), ("00001.jpg", 196)), test=(("00001.jpg", 1),)):
    for half, rows in (("train", train), ("test", test)):
        (folder / f"cars_{half}").mkdir(parents=True)
        for number, (name, _) in enumerate(rows):
            (folder / f"cars_{half}" / name).write_bytes(photo(number))
    annotate(folder / "devkit/cars_train_annos.mat", train)
    annotate(folder / "cars_test_annos_withlabels.mat", test)
    return folder


def test_labels_count_from_zero_in_the_order_of_the_file(tmp_path):
    lay_out(tmp_path / "stanford_cars")
    read = load_cars(tmp_path)
    assert (read.train.y.tolist(), read.test.y.tolist()) == ([2, 195], [0])
    assert [image.shape for image in read.train.own_sizes] == [(3, 256, 384)] * 2
    assert np.concatenate(list(read.test.images)).shape == (1, 3, 224, 224)


def test_class_folders_are_taken_too(tmp_path):
    for half in ("train", "test"):
        for label in range(196):
            folder = tmp_path / "cars" / half / f"{label:03d}"
            folder.mkdir(parents=True)
            (folder / "1.png").write_bytes(photo(label))
    assert load_cars(tmp_path).train.y.tolist() == list(range(196))


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda f: shutil.rmtree(f / "cars_test"), "no folder cars_test: unpack cars_test.tgz"),
        (lambda f: (f / "devkit/cars_train_annos.mat").unlink(), "has no devkit/cars_train_annos.mat"),
        (lambda f: (f / "cars_train/00002.jpg").unlink(), "has no 00002.jpg, which devkit/cars_train_annos.mat"),
        (lambda f: (f / "devkit/cars_train_annos.mat").write_bytes(b"x" * 200), "cars_train_annos.mat"),
        (lambda f: savemat(f / "cars_test_annos_withlabels.mat", {"a": 1}), "not the official annotation file"),
        (
            lambda f: annotate(f / "cars_test_annos_withlabels.mat", [("1.jpg", 0)]),
            "class 0, not one of 1..196",
        ),
        (lambda f: annotate(f / "cars_test_annos_withlabels.mat", [("../1.jpg", 1)]), "gives '../1.jpg'"),
    ],
)
def test_what_is_missing_or_damaged_is_named(tmp_path, damage, says):
    damage(lay_out(tmp_path / "stanford_cars"))
    with pytest.raises(CorruptData, match=says):
        load_cars(tmp_path)


def test_missing(tmp_path):
    with pytest.raises(MissingData, match="looked for stanford_cars, cars"):
        load_cars(tmp_path)
