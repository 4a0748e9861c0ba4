import io
import shutil
import zipfile
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import ImageFolder
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, PILToTensor, Resize

from recollect.datasets import class_folders
from recollect.datasets.class_folders import load_class_folders, shorter_side
from recollect.datasets.errors import CorruptData, MissingData
from recollect.datasets.photos import PHOTOS
from recollect.datasets.prepare import prepare, prepare_spec
from recollect.datasets.registry import DATASETS
from recollect.datasets.spec import DatasetSpec, RemoteFile
from recollect.datasets.store import open_prepared
from recollect.datasets.trees import Limits
from recollect.engine.images import Part, TaskImages

CLASSES = ["n10", "n2", "b_9"]
SIZES = [(300, 260), (40, 60), (500, 257), (256, 256), (90, 30)]
EVALUATION = Compose([Resize(256, interpolation=InterpolationMode.BICUBIC), CenterCrop(224), PILToTensor()])


def photo(seed, size, kind="JPEG", mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind)
    return stream.getvalue()


def lay_out(folder):
    """Three classes of two training images and one test image; extensions, modes and sizes vary."""
    number = 0
    for half, count in (("train", 2), ("test", 1)):
        for label in CLASSES:
            (folder / half / label).mkdir(parents=True)
            for i in range(count):
                kind, suffix, mode = [("JPEG", "jpg", "RGB"), ("PNG", "JPEG", "L"), ("PNG", "png", "P")][
                    number % 3
                ]
                name = folder / half / label / f"{9 - i}.{suffix}"
                name.write_bytes(photo(number, SIZES[number % len(SIZES)], kind, mode))
                number += 1
    (folder / "train/n2/notes.txt").write_text("not an image")
    return folder


def zipped(folder, path, above="", extra=()):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*"), reverse=True):
            if file.is_file():
                archive.write(file, above + file.relative_to(folder).as_posix())
        for name, body in extra:
            archive.writestr(name, body)
    return path


def load(tmp_path, n_classes=3):
    return load_class_folders(tmp_path, "birds.zip", ("birds", "birds.zip"), n_classes)


def pixels(part):
    images = part.own_sizes if part.own_sizes is not None else [x for block in part.images for x in block]
    return [np.array(image) for image in images]


def test_classes_and_order_are_those_of_imagefolder(tmp_path):
    folder = lay_out(tmp_path / "birds")
    read = load(tmp_path)
    for half, part in (("train", read.train), ("test", read.test)):
        theirs = ImageFolder(folder / half)
        assert theirs.classes == ["b_9", "n10", "n2"]
        assert part.y.tolist() == theirs.targets


def test_both_halves_show_exactly_what_the_evaluation_transform_shows(tmp_path):
    """The training images too: the engine's centre of the stored image is torchvision's resize and centre crop."""
    folder = lay_out(tmp_path / "birds")
    spec = tiny_spec()
    prepare_spec(spec, tmp_path, tmp_path / "out", progress=False)
    data = open_prepared(tmp_path / "out")
    for half, x, y in (("train", data.train_x, data.train_y), ("test", data.test_x, data.test_y)):
        theirs = ImageFolder(folder / half)
        parts = [Part(x, np.arange(len(y)), torch.from_numpy(np.array(y)), 0)]
        shown = TaskImages(parts, torch.device("cpu")).gather(torch.arange(len(y)))
        expected = torch.stack([EVALUATION(image) for image, _ in theirs])
        assert torch.equal(shown, expected.float() / 255)


def tiny_spec(n_classes=3):
    read = partial(load_class_folders, wanted="birds.zip", places=("birds", "birds.zip"), n_classes=n_classes)
    return DatasetSpec(
        name="birds", title="Birds", n_classes=n_classes, input_shape=(3, 224, 224), load=read, own_sizes=True,
        files=(RemoteFile("birds.zip", ()),), how_to_get="draw them", licence="none", citation="none",
    )  # fmt: skip


def test_prepared_whole_and_judged_intact(tmp_path):
    folder = lay_out(tmp_path / "birds")
    spec = tiny_spec()
    info = prepare_spec(spec, tmp_path, tmp_path / "out", progress=False)
    assert (info["own_sizes"], info["input_shape"], info["train"]["n"]) == (True, [3, 224, 224], 6)
    data = open_prepared(tmp_path / "out")
    train = ImageFolder(folder / "train")
    for row, (image, _) in enumerate(train):
        expected = Resize(256, interpolation=InterpolationMode.BICUBIC)(image)
        assert np.array_equal(data.train_x[row], np.asarray(expected).transpose(2, 0, 1))
    assert data.train_x.shape == (6, 3, 224, 224)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "dataset.json", "test_x.npy", "test_y.npy", "train_sizes.npy", "train_x.npy", "train_y.npy",
    ]  # fmt: skip
    shutil.rmtree(folder)
    assert prepare_spec(spec, tmp_path, tmp_path / "out", progress=False) == info


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda out: (out / "train_sizes.npy").unlink(), "train_sizes.npy cannot be opened"),
        (lambda out: np.save(out / "train_sizes.npy", np.full((6, 2), 9, np.int32)), "does not fit train_sizes"),
        (lambda out: np.save(out / "train_sizes.npy", np.full((5, 2), 9, np.int32)), r"is int32 \(5, 2\)"),
        (lambda out: np.save(out / "train_x.npy", np.zeros((6, 3, 4, 4), np.uint8)), r"\(6, 3, 4, 4\)"),
    ],
)
def test_damaged_store_is_named_and_made_again(tmp_path, damage, says):
    lay_out(tmp_path / "birds")
    info = prepare_spec(tiny_spec(), tmp_path, tmp_path / "out", progress=False)
    damage(tmp_path / "out")
    with pytest.raises(CorruptData, match=says):
        open_prepared(tmp_path / "out")
    assert prepare_spec(tiny_spec(), tmp_path, tmp_path / "out", progress=False) == info
    open_prepared(tmp_path / "out")


@pytest.mark.parametrize("above", ["", "birds/", "some/where/birds/"])
def test_the_archive_reads_like_the_folder(tmp_path, above):
    folder = lay_out(tmp_path / "birds")
    read = load(tmp_path)
    expected = [(part.y.tolist(), pixels(part)) for part in (read.train, read.test)]
    extra = [(f"__MACOSX/{above}train/n2/._8.jpg", b"x"), (f"{above}train/n2/._8.jpg", b"x")]
    zipped(folder, tmp_path / "birds.zip", above, extra)
    shutil.rmtree(folder)
    read = load(tmp_path)
    for part, (y, images) in zip((read.train, read.test), expected, strict=True):
        assert part.y.tolist() == y
        assert all(np.array_equal(a, b) for a, b in zip(pixels(part), images, strict=True))


def break_layout(folder):
    shutil.move(folder / "test", folder / "val")


@pytest.mark.parametrize(
    ("damage", "n_classes", "says"),
    [
        (break_layout, 3, r"test/b_9 is missing or has no images, although train/b_9 has some"),
        (lambda f: shutil.rmtree(f / "train/n10"), 3, r"train/n10 is missing or has no images"),
        (lambda f: (f / "test/n2/9.jpg").unlink(), 3, None),
        (lambda f: None, 4, "has 3 class folders in train where 4 are expected"),
        (lambda f: [shutil.rmtree(f / half) for half in ("train", "test")], 3, r"has no train/<class>/<image>"),
        (lambda f: shutil.copytree(f, f / "again"), 3, "more than once, below '', 'again'"),
    ],
)
def test_other_layouts_are_one_sentence(tmp_path, damage, n_classes, says):
    folder = lay_out(tmp_path / "birds")
    if says is None:  # whatever its name is, the last test image of n2 goes
        for file in (folder / "test/n2").iterdir():
            file.unlink()
        says = "test/n2 is missing or has no images"
    else:
        damage(folder)
    with pytest.raises(CorruptData, match=says) as error:
        load(tmp_path, n_classes)
    assert str(folder) in str(error.value)


def test_an_unreadable_image_is_named_and_nothing_stays(tmp_path):
    folder = lay_out(tmp_path / "birds")
    bad = next((folder / "train/n2").glob("8.*"))
    bad.write_bytes(bad.read_bytes()[:200])
    with pytest.raises(CorruptData, match=rf"birds: train/n2/{bad.name} is not a readable image"):
        prepare_spec(tiny_spec(), tmp_path, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_strip_is_refused_before_it_becomes_huge():
    with pytest.raises(CorruptData, match=r"x.png is 3300 x 100 pixels, more than 32 times as long as wide"):
        shorter_side(Image.new("RGB", (3300, 100)), "x.png")
    assert shorter_side(Image.new("RGB", (320, 10)), "x.png").shape == (3, 256, 8192)


@pytest.mark.parametrize("name", ["../up/train/a/1.jpg", "/train/a/1.jpg"])
def test_entries_that_point_outside_are_refused(tmp_path, name):
    zipped(lay_out(tmp_path / "there"), tmp_path / "birds.zip", extra=[(name, b"x")])
    with pytest.raises(CorruptData, match="points outside"):
        load(tmp_path)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    zipped(lay_out(tmp_path / "there"), tmp_path / "birds.zip")
    monkeypatch.setattr(class_folders, "LIMITS", Limits(1 << 26, 1000))
    with pytest.raises(CorruptData, match="claims to unpack"):
        load(tmp_path)


def test_missing_says_every_place(tmp_path):
    with pytest.raises(MissingData, match=r"birds.zip not found in .* \(looked for birds, birds.zip\)"):
        load(tmp_path)


@pytest.mark.parametrize("spec", PHOTOS, ids=lambda spec: spec.name)
def test_each_says_where_it_is_to_be_had(tmp_path, spec):
    (tmp_path / "data").mkdir()
    with pytest.raises(MissingData, match="no address to download them from") as error:
        prepare(spec.name, tmp_path / "data", tmp_path / "out")
    assert spec.how_to_get in str(error.value)
    assert DATASETS[spec.name] is spec


def test_cifar224_is_stored_small_and_seen_large(tmp_path, official):
    folder = tmp_path / "data/cifar-100-binary"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("train.bin", "test.bin")):
        (folder / name).write_bytes(official.cifar_records(100, 2, 100, seed).tobytes())
    spec = official.spec("cifar224", rows_sha256=None, train_counts=None, test_counts=None)
    info = prepare_spec(spec, tmp_path / "data", tmp_path / "out", progress=False)
    data = open_prepared(tmp_path / "out")
    assert (info["input_shape"], info["stored_shape"]) == ([3, 224, 224], [3, 32, 32])
    assert (data.train_x.shape[1:], data.enlarged_side) == ((3, 32, 32), 224)
