"""Wasserstein distances between the five readout channels of ZDC images.

The zero degree calorimeter reads 44x44 fibres in five channels: every second fibre, in a checkerboard, goes to
a common channel 5, the others to one channel for each quadrant. Images are log(1 + photons).

Two metrics are in use for the same images. They differ in unit, in size and in what they reward, and must
never share a column: ``zdc_wasserstein_log_pooled`` and ``zdc_wasserstein_channels``.
"""

from __future__ import annotations

import numpy as np

from recollect.metrics.accuracy import MetricError

SIDE = 44
N_CHANNELS = 5


def channel_masks() -> np.ndarray:
    """Which pixels each channel sums, bool (5, 44, 44).

    Channels 1 to 4 are the pixels with r + c even in the quadrants top left, top right, bottom left and bottom
    right; channel 5 the pixels with r + c odd.
    """
    row, column = np.indices((SIDE, SIDE))
    quadrant = 2 * (row >= SIDE // 2) + (column >= SIDE // 2)
    channel = np.where((row + column) % 2 == 1, N_CHANNELS - 1, quadrant)
    return channel == np.arange(N_CHANNELS)[:, None, None]


def channel_sums(images: np.ndarray) -> np.ndarray:
    """Sum of each channel's pixels, in the unit of the pixels.

    Args:
        images: (N, 44, 44).

    Returns:
        float64 (N, 5).

    Raises:
        MetricError: another shape, no image, or values that are not finite.
    """
    pixels = np.asarray(images, np.float64)
    if pixels.ndim != 3 or pixels.shape[1:] != (SIDE, SIDE) or len(pixels) == 0:
        raise MetricError(f"images of shape {pixels.shape}: give at least one, in shape (images, {SIDE}, {SIDE})")
    broken = int((~np.isfinite(pixels)).any(axis=(1, 2)).sum())
    if broken:
        raise MetricError(
            f"{broken} of {len(pixels)} images hold values that are not finite: the generator diverged or its "
            "images are not on the scale of log(1 + photons)"
        )
    return pixels.reshape(len(pixels), -1) @ channel_masks().reshape(N_CHANNELS, -1).T.astype(np.float64)


def zdc_wasserstein_log_pooled(generated_log: np.ndarray, reference_log: np.ndarray) -> float:
    """Wasserstein-1 between all channel values pooled, as the Adapt & Align authors compute it.

    Unit: sums of log(1 + photons), since channels are summed on the log images. Pooling makes it blind to an
    exchange of channels.

    Args:
        generated_log: (N, 44, 44) generated images, log(1 + photons).
        reference_log: (M, 44, 44) simulated images, log(1 + photons).

    Raises:
        MetricError: see ``channel_sums``.
    """
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(channel_sums(generated_log).ravel(), channel_sums(reference_log).ravel()))


def zdc_wasserstein_channels(generated_log: np.ndarray, reference_log: np.ndarray) -> float:
    """Wasserstein-1 in each channel, mean over the five: the usual metric of ZDC simulation.

    Unit: photons per channel, since images are mapped back by exp(x) - 1 first. Nothing is clipped: a
    generator that puts out negative logarithms has negative photons.

    Args:
        generated_log: (N, 44, 44) generated images, log(1 + photons).
        reference_log: (M, 44, 44) simulated images, log(1 + photons).

    Raises:
        MetricError: see ``channel_sums``.
    """
    from scipy.stats import wasserstein_distance

    ours, real = (channel_sums(_photons(images)) for images in (generated_log, reference_log))
    return float(np.mean([wasserstein_distance(ours[:, c], real[:, c]) for c in range(N_CHANNELS)]))


def _photons(log_images: np.ndarray) -> np.ndarray:
    # Infinite photons are refused with a sentence by channel_sums.
    with np.errstate(over="ignore"):
        return np.expm1(np.asarray(log_images, np.float64))
