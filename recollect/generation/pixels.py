"""Whether a decoder can reach the values of its data, and a loss be taken of them."""

from __future__ import annotations

from recollect.errors import RecollectError
from recollect.models.multiband import Decoder


def check_pixels(decoder: Decoder, value_range: tuple[float, float], reconstruction: str) -> None:
    """Refuse what would train without complaint and never fit.

    Args:
        decoder: whose output is a probability, or linear.
        value_range: smallest and largest value of the data.
        reconstruction: ``bce`` or ``mse``.

    Raises:
        RecollectError: data outside [0, 1] for an output inside it, or cross-entropy of other data or outputs.
    """
    low, high = value_range
    inside = low >= 0 and high <= 1
    if decoder.sigmoid and not inside:
        raise RecollectError(
            f"the data reach from {low:g} to {high:g}, this network puts out values in [0, 1] only: use network: "
            "conv, which is linear for calorimeter responses of 44x44, or other data"
        )
    if reconstruction == "bce" and not (decoder.sigmoid and inside):
        raise RecollectError(
            f"reconstruction is bce, which needs probabilities: these data reach from {low:g} to {high:g} and the "
            f"output of the network is {'a probability' if decoder.sigmoid else 'linear'}; use reconstruction: mse"
        )
