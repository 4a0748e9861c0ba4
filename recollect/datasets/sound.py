"""Sound files and spectrograms. The filter bank and the transform are those of `transformers.audio_utils`."""

import io
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from recollect.datasets.errors import CorruptData
from recollect.datasets.reading import DAMAGED

RANGE_DB = 80.0
"""What lies this far below the loudest point of a recording, or further, is stored as 0."""
SCALES = {"int16": 2.0**15, "int32": 2.0**31, "float32": 1.0, "float64": 1.0}


def read_wav(data: bytes, origin: str, rate: int | None = None) -> tuple[np.ndarray, int]:
    """Decode a WAV file to one channel, float64 (n,) in [-1, 1], and its sampling rate.

    Args:
        data: the whole file.
        origin: its name, for messages.
        rate: samples per second that it must have; None: any.

    Raises:
        CorruptData: no WAV file, an unknown sample format, empty, or of another rate.
    """
    from scipy.io import wavfile

    try:
        found, x = wavfile.read(io.BytesIO(data))
    except (*DAMAGED, OSError) as error:
        raise CorruptData(f"{origin} is no readable WAV file ({error}): replace it by an intact copy") from error
    if x.dtype.name not in SCALES or not x.size:
        state = f"samples of type {x.dtype.name}" if x.size else "no samples"
        raise CorruptData(f"{origin} has {state}: replace it by the official file")
    if rate is not None and found != rate:
        raise CorruptData(
            f"{origin} has {found} samples per second where {rate} are expected: use the official file"
        )
    channels = x.reshape(len(x), -1).astype(np.float64) / SCALES[x.dtype.name]
    return channels.mean(axis=1), int(found)


@dataclass(frozen=True)
class LogMel:
    """Log-mel spectrograms of fixed length as bytes: decibels below the loudest point, 80 dB in 255 steps.

    Args:
        rate: samples per second.
        window: samples of a Hann window; frames lie wholly inside the recording, none is padded.
        hop: samples from one frame to the next.
        fft: points of the transform, at least `window`.
        mels: triangular filters from 0 to rate / 2, HTK scale, not normalised.
        frames: kept from the beginning; a shorter recording is followed by silence, byte 0.
    """

    rate: int
    window: int
    hop: int
    fft: int
    mels: int
    frames: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(1, mels, frames); low tones first."""
        return 1, self.mels, self.frames

    @property
    def samples(self) -> int:
        """Samples of a recording that are looked at."""
        return self.window + (self.frames - 1) * self.hop

    @cached_property
    def _filters(self) -> Any:
        from transformers import audio_utils

        return audio_utils.mel_filter_bank(
            num_frequency_bins=self.fft // 2 + 1, num_mel_filters=self.mels, min_frequency=0.0,
            max_frequency=self.rate / 2, sampling_rate=self.rate, norm=None, mel_scale="htk",
        )  # fmt: skip

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """The spectrogram of a recording (n,), uint8 :attr:`shape`; one of pure silence is all 0."""
        from transformers import audio_utils

        x = np.asarray(waveform[: self.samples], dtype=np.float64)
        x = np.pad(x, (0, max(0, self.window - len(x))))
        power = audio_utils.spectrogram(
            x, window=np.hanning(self.window + 1)[:-1], frame_length=self.window, hop_length=self.hop,
            fft_length=self.fft, power=2.0, center=False, mel_filters=self._filters, mel_floor=1e-20,
            dtype=np.dtype(np.float64),
        )  # fmt: skip
        loudest = power.max()
        if loudest <= 1e-20:
            return np.zeros(self.shape, dtype=np.uint8)
        decibels = 10 * np.log10(power / loudest)
        stored = np.rint((decibels + RANGE_DB).clip(min=0) * (255 / RANGE_DB)).astype(np.uint8)
        return np.pad(stored, ((0, 0), (0, self.frames - stored.shape[1])))[None]


AST_RATE = 16_000
AST_SHAPE = (1024, 128)
AST_MEAN, AST_STD = -4.2677393, 4.5689974
"""Of log-mel energies on AudioSet, published with the Audio Spectrogram Transformer."""


@lru_cache(maxsize=1)
def _ast_filters() -> np.ndarray:
    from transformers import audio_utils

    with warnings.catch_warnings():  # the lowest bands are narrower than a bin: so it was trained
        warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
        return audio_utils.mel_filter_bank(
            num_frequency_bins=257, num_mel_filters=AST_SHAPE[1], min_frequency=20, max_frequency=AST_RATE // 2,
            sampling_rate=AST_RATE, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True,
        )  # fmt: skip


def ast_spectrogram(waveform: np.ndarray) -> np.ndarray:
    """What the Audio Spectrogram Transformer takes (Gong, Chung, Glass 2021): float16, 1024 frames x 128 mels.

    Kaldi's filter-bank energies of 25 ms Hann windows every 10 ms, natural logarithm, (x - mean) / (2 std). Sound
    beyond 10.24 s is cut off, of shorter sound the missing frames are 0 before they are normalised, as in its
    authors' code.

    Args:
        waveform: one channel in [-1, 1] at 16 kHz, (n,).
    """
    from transformers import audio_utils

    frames = AST_SHAPE[0]
    x = np.asarray(waveform[: 400 + (frames - 1) * 160], dtype=np.float64)
    energies = np.zeros(AST_SHAPE)
    if len(x) >= 400:
        found = audio_utils.spectrogram(
            x, window=audio_utils.window_function(400, "hann", periodic=False), frame_length=400, hop_length=160,
            fft_length=512, power=2.0, center=False, preemphasis=0.97, mel_filters=_ast_filters(), log_mel="log",
            mel_floor=1.192092955078125e-07, remove_dc_offset=True,
        )  # fmt: skip
        energies[: found.shape[1]] = found.T
    return ((energies - AST_MEAN) / (2 * AST_STD)).astype(np.float16)
