"""Data that a decoder cannot reach are refused when it is built, not learned badly for hours."""

import dataclasses

import pytest
import torch

from recollect.engine.loading import load_build
from recollect.errors import RecollectError

SMALL = {"latent": 2, "binary": 2, "gen_d": 2}


def build(tiny, method, side, value_range, **hyper):
    setting = dataclasses.replace(tiny.setting(), input_shape=(1, side, side), value_range=value_range)
    torch.manual_seed(0)
    return load_build(method)(setting=setting, **SMALL, **hyper)


@pytest.mark.parametrize("method", ["adapt_align_vae", "vae_replay"])
@pytest.mark.parametrize(
    ("side", "value_range", "hyper", "says"),
    [
        (
            44,
            (0.0, 6.5),
            {"network": "fc"},
            "reach from 0 to 6.5, this network puts out values in .* use network: conv",
        ),
        (28, (0.0, 6.5), {"network": "conv"}, "reach from 0 to 6.5, this network puts out values in"),
        (28, (-1.0, 1.0), {"network": "fc"}, "reach from -1 to 1, this network"),
        (44, (0.0, 6.5), {"network": "conv", "reconstruction": "bce"}, "bce, which needs probabilities"),
        (44, (0.0, 1.0), {"network": "conv", "reconstruction": "bce"}, "output of the network is linear; use rec"),
    ],
)
def test_what_cannot_be_reached(tiny, method, side, value_range, hyper, says):
    with pytest.raises(RecollectError, match=says):
        build(tiny, method, side, value_range, **hyper)


@pytest.mark.parametrize("method", ["adapt_align_vae", "vae_replay"])
@pytest.mark.parametrize(
    ("side", "value_range", "hyper"),
    [
        (44, (0.0, 6.5), {"network": "conv"}),
        (44, (0.0, 1.0), {"network": "conv"}),
        (28, (0.0, 1.0), {"network": "conv", "reconstruction": "bce"}),
        (44, (0.0, 1.0), {"network": "fc", "reconstruction": "bce"}),
        (28, (0.2, 0.9), {"network": "fc"}),
    ],
)
def test_what_can(tiny, method, side, value_range, hyper):
    build(tiny, method, side, value_range, **hyper)


def test_a_linear_output_is_not_cut():
    """Responses of log(1 + photons) above 1 and slightly below 0 come out of the network as they are."""
    from recollect.models.multiband import Decoder, task_codes

    shape = {"input_shape": (1, 44, 44), "network": "conv", "latent": 2, "binary": 0, "d": 2}
    decoder = Decoder(**shape, codes=task_codes(2, 4, 9))
    raw = torch.tensor([-0.5, 0.5, 6.5])
    assert torch.equal(decoder.pixels(raw), raw)
