"""Log-mel spectrograms against a discrete Fourier transform written out, and WAV files made by hand."""

import io

import numpy as np
import pytest
from scipy.io import wavfile

from recollect.datasets.errors import CorruptData
from recollect.datasets.sound import RANGE_DB, LogMel, read_wav

SMALL = LogMel(rate=800, window=32, hop=20, fft=64, mels=5, frames=6)


def wav(x, rate=800):
    stream = io.BytesIO()
    wavfile.write(stream, rate, x)
    return stream.getvalue()


def hertz(mel):
    return 700 * (10 ** (mel / 2595) - 1)


def by_hand(x, made):
    """Sums over samples and bins, frame by frame; triangles in hertz between points that are even in mel."""
    points = hertz(np.linspace(0, 2595 * np.log10(1 + made.rate / 2 / 700), made.mels + 2))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(made.window) / made.window)
    rows = []
    for start in range(0, len(x) - made.window + 1, made.hop):
        power = []
        for k in range(made.fft // 2 + 1):
            wave = np.exp(-2j * np.pi * k * np.arange(made.window) / made.fft)
            power.append(abs((x[start : start + made.window] * hann * wave).sum()) ** 2)
        bins = np.arange(made.fft // 2 + 1) * made.rate / made.fft
        bands = []
        for low, centre, high in zip(points, points[1:], points[2:], strict=False):
            triangle = np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, None)
            bands.append((triangle * power).sum())
        rows.append(bands)
    return np.array(rows).T


def test_spectrograms_equal_sums_written_out():
    x = np.random.default_rng(0).normal(size=SMALL.samples)
    power = by_hand(x, SMALL)
    assert power.shape == (5, 6)
    expected = np.clip(10 * np.log10(power / power.max()) + RANGE_DB, 0, None) * 255 / RANGE_DB
    found = SMALL(x)
    assert found.dtype == np.uint8
    assert found.shape == SMALL.shape == (1, 5, 6)
    assert np.abs(found[0] - expected).max() <= 0.5 + 1e-4
    assert found.max() == 255


@pytest.mark.parametrize("band", range(5))
def test_a_tone_is_loudest_in_its_band(band):
    centres = hertz(np.linspace(0, 2595 * np.log10(1 + 400 / 700), 7))[1:-1]
    x = np.sin(2 * np.pi * centres[band] * np.arange(SMALL.samples) / 800)
    assert (SMALL(x)[0].argmax(axis=0) == band).all()


def test_lengths_become_equal():
    """A short recording is followed by silence, of a long one the beginning counts, loudness does not."""
    x = np.random.default_rng(1).normal(size=3 * SMALL.samples)
    short = SMALL(x[: SMALL.window + 2 * SMALL.hop + 3])
    assert not short[:, :, 3:].any()
    assert short[:, :, :3].any(axis=1).all()
    assert np.array_equal(SMALL(x), SMALL(x[: SMALL.samples]))
    assert np.array_equal(SMALL(x), SMALL(x * 0.125))
    assert SMALL(x[:10]).shape == SMALL.shape
    assert not SMALL(np.zeros(500)).any()


@pytest.mark.parametrize("kind", ["int16", "int32", "float32"])
def test_wav_files_of_any_number_type_are_one_sound(kind):
    x = np.array([0.0, 0.5, -0.5, 0.25, -1.0])
    scale = {"int16": 2**15, "int32": 2**31, "float32": 1}[kind]
    found, rate = read_wav(wav((x * scale).astype(kind)), "a.wav", 800)
    assert rate == 800
    assert np.array_equal(found, x)
    stereo = np.stack([x, np.zeros(5)], axis=1) * scale
    assert np.array_equal(read_wav(wav(stereo.astype(kind)), "a.wav")[0], x / 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "a.wav is no readable WAV"),
        (b"RIFF\x10\x00\x00\x00WAVEjunk", "a.wav is no readable WAV"),
        (wav(np.zeros(4, dtype=np.int16))[:30], "a.wav is no readable WAV"),
        (wav(np.zeros(0, dtype=np.int16)), "a.wav has no samples"),
        (wav(np.zeros(4, dtype=np.uint8)), "a.wav has samples of type uint8"),
        (wav(np.zeros(4, dtype=np.int16), rate=16000), "a.wav has 16000 samples per second where 800"),
    ],
)
def test_bad_files_are_named(data, words):
    with pytest.raises(CorruptData, match=words):
        read_wav(data, "a.wav", 800)
