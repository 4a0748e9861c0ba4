"""Frames and sound of one clip, by PyAV, which brings FFmpeg with it and is imported when a clip is read."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from recollect.datasets.class_folders import central, shorter_side
from recollect.datasets.errors import CorruptData

SIDE = 224
LEAST_DECODED = 0.9
"""Share of a clip's pictures that must decode; containers may announce a few that are never shown."""


@contextmanager
def opened(source: Path | bytes, origin: str) -> Iterator[Any]:
    """Open a video or sound file; what FFmpeg says of a damaged one becomes `CorruptData` that names `origin`."""
    import av

    try:
        with av.open(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as container:
            yield container
    except FileNotFoundError as error:
        raise CorruptData(f"{origin} is not there: unpack the official archive again, whole") from error
    except (av.error.FFmpegError, EOFError, IndexError) as error:
        raise CorruptData(f"{origin} cannot be decoded ({error}): replace it by an intact copy") from error


def read_frames(source: Path | bytes, origin: str, frames: int, side: int = SIDE) -> np.ndarray:
    """Pictures from the middles of equal parts of a clip, however long it is; uint8 (frames, 3, side, side).

    Of n pictures, number floor((i + 1/2) n / frames) for i = 0, 1, ...; a clip of fewer repeats some. Shorter side
    scaled to ``side`` by Pillow's bicubic filter, then the central square.

    Raises:
        CorruptData: damaged, without pictures, or less than nine tenths of them decode.
    """
    with opened(source, origin) as container:
        if not container.streams.video:
            raise CorruptData(f"{origin} has no pictures: replace it by the official file")
        announced = sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))
    with opened(source, origin) as container:
        wanted = (2 * np.arange(frames) + 1) * announced // (2 * frames)
        kept: dict[int, np.ndarray] = {}
        number = -1
        for number, frame in enumerate(container.decode(container.streams.video[0])):
            if number in wanted:
                picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
                kept[number] = central(shorter_side(picture, origin, side), side)
            if number == wanted[-1]:
                break
    if number < 0 or number + 1 < LEAST_DECODED * wanted[-1]:
        raise CorruptData(f"{origin} gave {number + 1} of {announced} pictures: replace it by an intact copy")
    shown = [max((n for n in kept if n <= place), default=min(kept, default=-1)) for place in wanted]
    if -1 in shown:
        raise CorruptData(f"{origin} gave {number + 1} of {announced} pictures: replace it by an intact copy")
    return np.stack([kept[n] for n in shown])


def read_sound(source: Path | bytes, origin: str, rate: int) -> np.ndarray | None:
    """All sound of a clip as one channel, float32 (n,) in [-1, 1] at ``rate``; None if there is none.

    Raises:
        CorruptData: the file or its sound is damaged.
    """
    import av

    with opened(source, origin) as container:
        if not container.streams.audio:
            return None
        resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
        pieces = [
            piece.to_ndarray().reshape(-1)
            for frame in (*container.decode(container.streams.audio[0]), None)
            for piece in resampler.resample(frame)
        ]
    sound = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)
    return sound if sound.size else None
