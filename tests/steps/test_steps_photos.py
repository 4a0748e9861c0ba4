"""From class folders to a finished run: split in LAMDA-PILOT's order, trained on crops, judged on centres."""

import io
import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from recollect.datasets.class_folders import load_class_folders
from recollect.datasets.prepare import prepare_spec
from recollect.datasets.spec import DatasetSpec, RemoteFile
from recollect.steps.places import Places
from recollect.steps.split import split
from recollect.steps.train import train

SCENARIO = {
    "id": "birds", "datasets": ["birds"], "protocol": "class-incremental", "n_tasks": 3, "class_order": "pilot",
    "validation": 0.0,
}  # fmt: skip
COLOURS = {"b": (200, 30, 30), "a": (30, 200, 30), "c": (30, 30, 200)}


@pytest.fixture
def places(tmp_path):
    for half, n in (("train", 6), ("test", 2)):
        for label, colour in COLOURS.items():
            folder = tmp_path / "data/birds" / half / label
            folder.mkdir(parents=True)
            for i in range(n):
                stream = io.BytesIO()
                Image.new("RGB", (40 + 9 * i, 50), colour).save(stream, "PNG")
                (folder / f"{i}.png").write_bytes(stream.getvalue())
    read = partial(load_class_folders, wanted="birds.zip", places=("birds",), n_classes=3)
    spec = DatasetSpec(
        name="birds", title="Birds", n_classes=3, input_shape=(3, 224, 224), own_sizes=True, load=read,
        files=(RemoteFile("birds.zip", ()),), how_to_get="draw them", licence="", citation="",
    )  # fmt: skip
    places = Places(tmp_path / "results")
    prepare_spec(spec, tmp_path / "data", places.data("birds"), progress=False)
    return places


def test_a_run_on_photographs(places):
    from recollect.engine.settings import TrainSettings

    settings = {**vars(TrainSettings()), "augmentation": "resized_crop_flip", "epochs": 4, "batch_size": 3}
    settings |= {"width": 4, "depth": 1, "lr": 0.001}
    spec = {
        "scenario": SCENARIO, "method": {"id": "joint", "file": "joint", "train": settings, "hyper": {}},
        "engine": {"device": "cpu", "threads": 1}, "code": "0",
    }  # fmt: skip
    split(SCENARIO, [1993], places)
    manifest = json.loads(places.split("birds", 1993).read_text())
    order = np.random.RandomState(1993).permutation(3).tolist()
    assert [task["classes"] for task in manifest["tasks"]] == [[c] for c in order]
    (record,) = train(spec, [1993], places)
    assert record["status"] == "ok"
    predictions = np.load(places.run("birds", "joint", 1993) / "predictions.npz")
    assert predictions["test"].shape == (4, 6)
    assert set(predictions["test"][-1]) <= {0, 1, 2}
    again = Places(places.results.parent / "again")
    for folder in ("data", "splits"):
        again.results.mkdir(exist_ok=True)
        (again.results / folder).symlink_to(places.results / folder)
    train(spec, [1993], again)
    repeated = np.load(again.run("birds", "joint", 1993) / "predictions.npz")
    assert np.array_equal(predictions["test"], repeated["test"])
