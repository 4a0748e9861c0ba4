import pytest
import torch

from recollect.errors import RecollectError
from recollect.extractors.compute import device_called, repeatable


def test_settings_are_put_back():
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic
    inside = []

    def fails():
        with repeatable(1):
            inside.append((torch.get_num_threads(), torch.backends.cudnn.deterministic))
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert inside == [(1, True)]
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic) == before


def test_devices():
    assert device_called("cpu") == torch.device("cpu")
    assert device_called("auto").type in ("cpu", "cuda")
    with pytest.raises(RecollectError, match="device 'cup' is no device: use auto, cpu, cuda"):
        device_called("cup")
