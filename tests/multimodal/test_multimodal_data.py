"""A data set of several modalities from its loader through store, split and engine to stored answers."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from killing import Killed

from recollect.datasets import CorruptData, check_intact, open_prepared, prepare_spec
from recollect.datasets.spec import Block, DatasetSpec, Decoded, Part, StoredModality, packed_shape
from recollect.engine import monitor
from recollect.engine.images import merge
from recollect.engine.packed import Packed
from recollect.engine.strategy import Strategy
from recollect.multimodal.experiences import batches, layout, samples
from recollect.multimodal.samples import Layout, Modality
from recollect.scenarios.protocols import SplitError
from recollect.steps.evaluate import evaluate_run
from recollect.steps.places import Places
from recollect.steps.split import split
from recollect.steps.train import LoadedData, stored_images, train

KINDS = (
    StoredModality("eye", (2, 3)),
    StoredModality("ear", (4,), dtype="float16", optional=True),
    StoredModality("arm", (2, 1, 2), dtype="float32"),
)
CPU = torch.device("cpu")


def values(y, seed):
    """Random measurements of samples labelled y; the ear is absent from every third one."""
    rng = np.random.default_rng(seed)
    return {
        "eye": (rng.integers(0, 200, (len(y), 2, 3)) + 5 * y[:, None, None]).astype(np.uint8),
        "ear": rng.normal(size=(len(y), 4)).astype(np.float16) - 3,
        "arm": rng.normal(size=(len(y), 2, 1, 2)).astype(np.float32) * 10,
    }, {"ear": np.arange(len(y)) % 3 > 0}


def part(y, seed, **changes):
    """A half that comes in blocks of 7."""
    x, present = values(y, seed)
    x |= changes
    starts = range(0, len(y), 7)
    blocks = [
        Block({k: v[a : a + 7] for k, v in x.items()}, {k: v[a : a + 7] for k, v in present.items()})
        for a in starts
    ]
    return Part(y, (), f"half {seed}", blocks=blocks)


TRAIN_Y, TEST_Y = np.arange(60) % 4, np.arange(20) % 4


def spec(name="senses", train=None, test=None):
    """Four classes, 60 + 20 samples."""
    return DatasetSpec(
        name=name, title="Senses", n_classes=4, input_shape=packed_shape(KINDS), files=(), how_to_get="made here",
        load=lambda folder: Decoded(train or part(TRAIN_Y, 1), test or part(TEST_Y, 2)),
        licence="none", citation="none", modalities=KINDS,
    )  # fmt: skip


@pytest.fixture
def prepared(tmp_path):
    """Prepared arrays and the numbers they were made of."""
    prepare_spec(spec(), None, tmp_path / "data" / "senses", progress=False)
    return open_prepared(tmp_path / "data" / "senses")


def expected_rows(y, seed):
    """Rows by hand: flags, then bytes as fractions, then the other numbers as they are, zeros where absent."""
    x, present = values(y, seed)
    here = present["ear"][:, None]
    flags = np.concatenate([np.ones((len(y), 1)), here, np.ones((len(y), 1))], axis=1)
    eye = x["eye"].reshape(len(y), -1).astype(np.float32) / np.float32(255)
    ear = np.where(here, x["ear"].astype(np.float32), 0)
    return np.concatenate([flags, eye, ear, x["arm"].reshape(len(y), -1)], axis=1).astype(np.float32)


def test_every_modality_keeps_its_dtype_on_disk(prepared, tmp_path):
    folder = tmp_path / "data" / "senses"
    x, present = values(TRAIN_Y, 1)
    for name in ("eye", "arm"):
        stored = np.load(folder / f"train_{name}.npy")
        assert stored.dtype == x[name].dtype
        assert np.array_equal(stored, x[name])
    ear = np.load(folder / "train_ear.npy")
    assert ear.dtype == np.float16
    assert np.array_equal(ear[present["ear"]], x["ear"][present["ear"]])
    assert not ear[~present["ear"]].any()
    assert isinstance(prepared.train_x.values["eye"], np.memmap)
    assert prepared.train_x.shape == (60, 1, 1, 3 + 6 + 4 + 4)
    assert prepared.train_x.nbytes == 60 * (3 + 6 + 2 * 4 + 4 * 4)
    low, high = prepared.value_range
    assert low == min(x["arm"].min(), x["ear"][present["ear"]].min(), 0)
    assert high == x["arm"].max()


@pytest.mark.parametrize("name", ["train_x", "train_ear", "test_arm", "test_y"])
def test_a_flipped_bit_of_any_array_is_noticed(prepared, tmp_path, name):
    folder = tmp_path / "data" / "senses"
    assert len(check_intact(folder).train_x) == 60
    file = folder / f"{name}.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptData, match=r"changed since they were prepared|samples per class"):
        check_intact(folder)


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_rows_are_packed_only_when_gathered(prepared, limit):
    """In memory and memory-mapped, in any order, against rows made by hand and against Layout.pack."""
    stored = stored_images(prepared.train_x, prepared, CPU, limit)
    assert isinstance(stored, Packed)
    assert stored.flags.in_memory == (limit > 0)
    index = torch.from_numpy(np.random.default_rng(0).permutation(60)[:25])
    rows = stored.shown(index)
    assert rows.shape == (25, 1, 1, 17)
    assert np.array_equal(rows.flatten(1).numpy(), expected_rows(TRAIN_Y, 1)[index])
    x, present = values(TRAIN_Y, 1)
    tensors = {name: torch.from_numpy(v).float() for name, v in x.items()} | {
        "eye": torch.from_numpy(x["eye"]).float().div_(255)
    }
    packed = stored.layout.pack(tensors, {"ear": torch.from_numpy(present["ear"])})
    assert torch.equal(rows.flatten(1), packed[index])


def class_incremental(**changes):
    return {
        "id": "senses2", "datasets": ["senses"], "protocol": "class-incremental", "n_tasks": 2, "validation": 0.2,
        **changes,
    }  # fmt: skip


def train_spec(scenario, method="naive", **hyper):
    return {
        "scenario": scenario,
        "method": {"id": method, "file": method, "train": {"width": 16, "depth": 1, "epochs": 2, "lr": 0.05},
                   "hyper": hyper},
        "engine": {"device": "cpu", "threads": 1},
        "code": "0",
    }  # fmt: skip


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(("method", "hyper"), [("naive", {}), ("derpp", {"buffer_size": 12})])
def test_from_split_to_metrics(tmp_path, method, hyper):
    """Nothing in the engine knows of modalities: splits, training, memory and evaluation run as for images."""
    places, scenario = Places(tmp_path), class_incremental()
    split(scenario, [0], places)
    (record,) = train(train_spec(scenario, method, **hyper), [0], places)
    assert record["status"] == "ok"
    result = evaluate_run(places, "senses2", method, 0)
    assert np.array(result["matrix"]).shape == (2, 2)
    assert result["test_sizes"] == [10, 10]


def test_the_method_is_told_the_layout_and_what_memories_must_keep(tmp_path, prepared, monkeypatch):
    seen = {}

    def build(*, setting):
        from baselines.naive import build as naive

        seen["setting"] = setting
        return naive(setting=setting)

    monkeypatch.setattr("recollect.engine.building.load_build", lambda name: build)
    places = Places(tmp_path)
    split(class_incremental(), [0], places)
    train(train_spec(class_incremental()), [0], places)
    setting = seen["setting"]
    assert setting.layout.modalities == tuple(Modality(kind.name, kind.shape) for kind in KINDS)
    assert setting.input_shape == (1, 1, setting.layout.size)
    assert setting.kept_dtype == torch.float32
    assert setting.value_range == prepared.value_range


def test_a_memory_of_the_told_dtype_loses_nothing(prepared):
    from recollect.engine.reservoir import Reservoir

    rows = stored_images(prepared.train_x, prepared, CPU).shown(torch.arange(5))
    buffer = Reservoir(capacity=5, input_shape=(1, 1, 17), dtype=torch.float32)
    buffer.add(rows, torch.arange(5))
    x, y, _, _ = buffer.draw(5)
    assert torch.equal(x, rows[y])
    state = buffer.state_dict()
    again = Reservoir(capacity=5, input_shape=(1, 1, 17), dtype=torch.float32)
    again.load_state_dict(state)
    assert torch.equal(again.x, buffer.x)


def test_scripts_get_the_tensors_of_an_experience(tmp_path, prepared):
    places = Places(tmp_path)
    split(class_incremental(validation=0.0), [0], places)
    from recollect.scenarios.manifest import read_manifest, rows

    manifest = read_manifest(places.split("senses2", 0))
    benchmark = LoadedData([prepared], CPU).benchmark(manifest, "split")
    experience = benchmark.train_stream[1]
    x, present = values(TRAIN_Y, 1)
    chosen = rows(manifest, 1, "train")
    found, y = samples(experience)
    assert np.array_equal(y.numpy(), TRAIN_Y[chosen])
    assert np.array_equal(found.tensors["arm"].numpy(), x["arm"][chosen])
    assert np.array_equal(found.present["ear"].numpy(), present["ear"][chosen])
    pieces = list(batches(experience, 8, torch.Generator().manual_seed(0)))
    assert [len(piece) for piece, _ in pieces] == [8, 8, 8, 6]
    together = torch.cat([piece.tensors["arm"] for piece, _ in pieces]).flatten(1).tolist()
    assert sorted(together) == sorted(found.tensors["arm"].flatten(1).tolist())
    assert together != found.tensors["arm"].flatten(1).tolist()
    row, label, _ = experience.dataset[3]
    unpacked = layout(experience).unpack(row[None])
    assert torch.equal(unpacked.tensors["eye"][0], found.tensors["eye"][3])
    assert int(label) == int(y[3])
    both = merge([e.dataset.ready_images for e in benchmark.train_stream])
    assert both.layout is not None
    assert both.gather(torch.tensor([0, 59])).shape == (2, 1, 1, 17)


def test_images_have_no_layout(tiny):
    with pytest.raises(ValueError, match="plain images"):
        layout(tiny.benchmark().train_stream[0])


def test_data_sets_of_other_modalities_do_not_mix(prepared, tmp_path):
    from recollect.datasets import prepare
    from recollect.errors import RecollectError

    prepare("digits_views", None, tmp_path / "digits", progress=False)
    data = LoadedData([prepared, open_prepared(tmp_path / "digits")], CPU)
    with pytest.raises(RecollectError, match="modalities"):
        _ = data.layout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eye": np.zeros((60, 3, 2), dtype=np.uint8)}, "half 1 .*train_eye"),
        ({"eye": np.zeros((59, 2, 3), dtype=np.uint8)}, "numbers of samples differ"),
        ({"arm": np.full((60, 2, 1, 2), np.nan, dtype=np.float32)}, "arm .*not finite"),
        ({"arm": np.zeros((60, 2, 1, 2))}, "float64"),
        ({"nose": np.zeros((60, 1))}, "nose"),
    ],
)
def test_wrong_samples_are_named(tmp_path, changes, words):
    with pytest.raises(CorruptData, match=words):
        prepare_spec(spec(train=part(TRAIN_Y, 1, **changes)), None, tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_modality_that_all_must_have_may_not_be_absent(tmp_path):
    blocks = [
        dataclasses.replace(b, present={"eye": np.zeros(len(b.values["eye"]))}) for b in part(TRAIN_Y, 1).blocks
    ]
    with pytest.raises(CorruptData, match="60 samples lack modality eye"):
        prepare_spec(spec(train=Part(TRAIN_Y, (), "half 1", blocks=blocks)), None, tmp_path / "o", progress=False)


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("what", ["shape", "kind", "gone"])
def test_damaged_arrays_are_noticed_on_opening(tmp_path, what):
    folder = tmp_path / "data" / "senses"
    if what == "shape":
        np.save(folder / "test_ear.npy", np.zeros((20, 5), dtype=np.float16))
    elif what == "gone":
        (folder / "test_ear.npy").unlink()
    else:
        info = json.loads((folder / "dataset.json").read_text())
        info["modalities"][0]["dtype"] = "complex"
        del info["seal"]
        (folder / "dataset.json").write_text(json.dumps(info))
    with pytest.raises(CorruptData, match=r"test_ear\.npy|modalities"):
        open_prepared(folder)


def test_digits_in_two_views_are_the_digits(tmp_path):
    """The two halves put together are the images of `digits`, in the same order and halves."""
    from recollect.datasets import prepare

    for name in ("digits", "digits_views"):
        assert prepare(name, None, tmp_path / name, progress=False)["verified"] == "known content"
    whole, views = (open_prepared(tmp_path / name) for name in ("digits", "digits_views"))
    for half in ("train", "test"):
        arrays = getattr(views, f"{half}_x").values
        joined = np.concatenate([arrays["upper"], arrays["lower"]], axis=2)
        assert np.array_equal(joined, getattr(whole, f"{half}_x"))
        assert np.array_equal(getattr(views, f"{half}_y"), getattr(whole, f"{half}_y"))
    unpacked = Layout([Modality("upper", (1, 4, 8)), Modality("lower", (1, 4, 8))]).unpack(
        stored_images(views.train_x, views, CPU).shown(torch.tensor([7]))
    )
    assert torch.equal(unpacked.tensors["lower"][0], torch.tensor(whole.train_x[7][:, 4:]) / 255)


def gappy():
    """Training sample 8 and test sample 3 could not be read."""
    halves = []
    for half, row in ((part(TRAIN_Y, 1), 8), (part(TEST_Y, 2), 3)):
        blocks = list(half.blocks)
        number, place = divmod(row, 7)
        block = blocks[number]
        present = {kind.name: np.ones(len(block.values["eye"]), dtype=bool) for kind in KINDS} | block.present
        present = {name: np.where(np.arange(len(here)) == place, False, here) for name, here in present.items()}
        blocks[number] = Block(block.values, present)
        halves.append(Part(half.y, (), half.origin, blocks=blocks, unreadable=[f"clip{row}.mp4"]))
    return spec(train=halves[0], test=halves[1])


def test_a_clip_that_cannot_be_read_reaches_the_table_as_a_remark(tmp_path):
    info = prepare_spec(gappy(), None, tmp_path / "data" / "senses", progress=False)
    assert info["unreadable"] == {"train": ["clip8.mp4"], "test": ["clip3.mp4"]}
    places = Places(tmp_path)
    with pytest.raises(SplitError, match=r"clip8\.mp4"):
        split(class_incremental(), [0], places)
    split(class_incremental(skip_unreadable=True), [0], places)
    train(train_spec(class_incremental(skip_unreadable=True)), [0], places)
    result = evaluate_run(places, "senses2", "naive", 0)
    assert result["test_sizes"] == [10, 9]
    assert result["remarks"]["avg_acc_unweighted"] == (
        "without 1 training and 1 test samples that could not be decoded"
    )


def test_nothing_readable_is_an_error(tmp_path):
    def nothing(y):
        blocks = [Block({}, {kind.name: np.zeros(len(y), dtype=bool) for kind in KINDS})]
        return Part(y, (), "half 1", blocks=blocks, unreadable=["a.mp4"])

    with pytest.raises(CorruptData, match=r"none of its 60 samples could be read, first a\.mp4"):
        prepare_spec(spec(train=nothing(TRAIN_Y)), None, tmp_path / "out", progress=False)


@pytest.mark.usefixtures("prepared")
def test_killed_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    """With a memory of floating-point rows; the answers and the matrix come out the same, bit for bit."""
    monkeypatch.setattr(monitor, "CHECK_EVERY", 1)
    made = train_spec(class_incremental(), "derpp", buffer_size=9)
    whole, killed = Places(tmp_path), Places(tmp_path / "killed")
    killed.results.mkdir()
    (tmp_path / "killed" / "data").symlink_to(tmp_path / "data")
    for places in (whole, killed):
        split(class_incremental(), [0], places)
    (expected,) = train(made, [0], whole)
    step, left = Strategy.optimizer_step, [3]

    def dying(self):
        step(self)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Strategy, "optimizer_step", dying)
        with pytest.raises(Killed):
            train(made, [0], killed, save_every_s=0.0)
    (found,) = train(made, [0], killed, save_every_s=0.0)
    assert found["resumed"] == 1
    answers = [(p.run("senses2", "derpp", 0) / "predictions.npz").read_bytes() for p in (whole, killed)]
    assert answers[0] == answers[1]
    assert found["carried_bytes"] == expected["carried_bytes"]
    assert min(expected["carried_bytes"]) >= 9 * 17 * 4  # nine rows of 17 numbers, not bytes
