"""Packing of several modalities into rows and back."""

import pytest
import torch

from recollect.multimodal.samples import Layout, Modality

LAYOUT = Layout([Modality("audio", (2, 3)), Modality("video", (1, 2, 2))])


def test_a_row_is_flags_then_values():
    audio, video = torch.arange(12.0).view(2, 2, 3), torch.arange(8.0).view(2, 1, 2, 2)
    rows = LAYOUT.pack({"video": video, "audio": audio}, {"audio": torch.tensor([True, False])})
    assert rows[0].tolist() == [1, 1, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3]
    assert rows[1].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 4, 5, 6, 7]


def test_unpacking_gives_back_what_was_packed():
    audio, video = torch.randn(5, 2, 3), torch.randn(5, 1, 2, 2)
    here = torch.tensor([True, False, True, True, False])
    samples = LAYOUT.unpack(LAYOUT.pack({"audio": audio, "video": video}, {"video": here}))
    assert len(samples) == 5
    assert torch.equal(samples.tensors["audio"], audio)
    assert torch.equal(samples.tensors["video"][here], video[here])
    assert not samples.tensors["video"][~here].any()
    assert torch.equal(samples.present["video"], here)
    assert samples.present["audio"].all()


def test_rows_may_come_as_images():
    rows = LAYOUT.pack({"audio": torch.randn(3, 2, 3)})
    samples = LAYOUT.unpack(rows.view(3, 1, 1, -1))
    assert not samples.present["video"].any()
    assert samples.tensors["audio"].shape == (3, 2, 3)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"audio": torch.zeros(2, 3, 2)}, "audio: .* expected"),
        ({"audio": torch.zeros(2, 2, 3), "video": torch.zeros(3, 1, 2, 2)}, "video: .* expected"),
        ({"text": torch.zeros(2, 3)}, "text"),
    ],
)
def test_wrong_tensors_are_named(tensors, words):
    with pytest.raises(ValueError, match=words):
        LAYOUT.pack(tensors)


def test_wrong_rows_and_layouts_are_named():
    with pytest.raises(ValueError, match="12"):
        LAYOUT.unpack(torch.zeros(2, 11))
    with pytest.raises(ValueError, match="different names"):
        Layout([Modality("a", (1,)), Modality("a", (2,))])
    with pytest.raises(ValueError, match="at least one"):
        Layout([])
