import io

import numpy as np
import pytest
from PIL import Image

from recollect.datasets.celeba import load_celeba, load_celeba_raw_attributes, resize_and_crop
from recollect.datasets.errors import CorruptData, MissingData


@pytest.mark.parametrize("zipped", [False, True])
def test_conjunction_classes_and_official_partitions(tmp_path, official, zipped):
    official.celeba(tmp_path, zipped)
    read = load_celeba(tmp_path)
    assert read.train.y.tolist() == [0, 7, 2]
    assert read.test.y.tolist() == [9, 1]
    assert np.concatenate(list(read.train.images)).shape == (3, 3, 64, 64)


def test_official_subfolders(tmp_path, official):
    official.celeba(tmp_path)
    home = tmp_path / "celeba"
    for name, folder in (
        ("img_align_celeba", "Img"),
        ("list_attr_celeba.txt", "Anno"),
        ("list_eval_partition.txt", "Eval"),
    ):
        (home / folder).mkdir()
        (home / name).rename(home / folder / name)
    assert load_celeba(tmp_path).train.y.tolist() == [0, 7, 2]


def test_raw_attribute_classes(tmp_path, official):
    """Class = the last of columns 0..9 that holds; column 0 negated, so that nothing is dropped here."""
    official.celeba(tmp_path)
    read = load_celeba_raw_attributes(tmp_path)
    assert read.train.y.tolist() == [8, 0, 9, 0]
    assert read.test.y.tolist() == [8, 8]


def test_pixels_are_resized_then_cropped(tmp_path, official):
    official.celeba(tmp_path)
    first = next(iter(load_celeba(tmp_path).train.images))[0]
    source = Image.open(tmp_path / "celeba/img_align_celeba/000001.jpg").convert("RGB")
    small = np.asarray(source.resize((64, 78), Image.Resampling.BILINEAR))
    assert np.array_equal(first, small[7:71].transpose(2, 0, 1))


@pytest.mark.parametrize("size", [(178, 218), (218, 178), (64, 64), (65, 131)])
def test_any_size_gives_64(size):
    assert resize_and_crop(Image.new("RGB", size)).shape == (3, 64, 64)


def test_missing_files_are_all_named(tmp_path):
    with pytest.raises(MissingData) as error:
        load_celeba(tmp_path)
    for name in ("img_align_celeba.zip", "list_attr_celeba.txt", "list_eval_partition.txt"):
        assert name in str(error.value)


def edit(name, change):
    def damage(home):
        path = home / name
        path.write_text(change(path.read_text()))

    return damage


ATTR, PART = "list_attr_celeba.txt", "list_eval_partition.txt"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (edit(ATTR, lambda t: "\n".join(t.splitlines()[:-2])), "states 6 images but lists 4"),
        (edit(ATTR, lambda t: t[:-20]), "line 8"),
        (edit(ATTR, lambda t: ""), "does not start with a count"),
        (edit(ATTR, lambda t: t.replace("000002.jpg", "../../x.jpg")), "line 4"),
        (edit(ATTR, lambda t: t.replace("Bald", "Bold")), "no attribute Bald"),
        (edit(ATTR, lambda t: t + "\u00e9"), "not a text file"),
        (edit(PART, lambda t: "\n".join(t.splitlines()[:-2])), "000005.jpg is in .* but not in"),
        (edit(PART, lambda t: t.replace(" 2", " 3")), "line 5: expected"),
        (lambda home: (home / "img_align_celeba/000001.jpg").unlink(), "has no 000001.jpg"),
        (lambda home: (home / "img_align_celeba/000001.jpg").write_bytes(b"no"), "not a readable image"),
    ],
)
def test_damage_is_named(tmp_path, official, damage, says):
    official.celeba(tmp_path)
    damage(tmp_path / "celeba")
    with pytest.raises(CorruptData, match=says):
        list(load_celeba(tmp_path).train.images)


def test_truncated_jpeg(tmp_path, official):
    official.celeba(tmp_path)
    path = tmp_path / "celeba/img_align_celeba/000002.jpg"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CorruptData, match=r"000002.jpg is not a readable image"):
        list(load_celeba(tmp_path).train.images)


def test_images_are_decoded_lazily(tmp_path, official, monkeypatch):
    monkeypatch.setattr("recollect.datasets.celeba.BATCH", 2)
    official.celeba(tmp_path)
    read = load_celeba(tmp_path)
    assert [len(batch) for batch in read.train.images] == [2, 1]


def test_columns_are_those_of_the_papers_code(official):
    """The authors address attributes by column number; the names used here must sit at those columns."""
    columns = {"Bald": 4, "Black_Hair": 8, "Blond_Hair": 9, "Brown_Hair": 11, "Gray_Hair": 17, "Male": 20}
    assert all(official.celeba_columns[i] == name for name, i in {**columns, "Wearing_Hat": 35}.items())
    assert len(official.celeba_columns) == 40


def test_jpeg_of_another_format_is_refused(tmp_path, official):
    official.celeba(tmp_path)
    stream = io.BytesIO()
    Image.new("RGB", (178, 218)).save(stream, "BMP")
    (tmp_path / "celeba/img_align_celeba/000001.jpg").write_bytes(stream.getvalue())
    with pytest.raises(CorruptData, match="not a readable image"):
        list(load_celeba(tmp_path).train.images)
