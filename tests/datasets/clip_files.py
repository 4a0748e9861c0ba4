"""Tiny video and sound files, written with the same library that reads them, and pictures that tell their time."""

from fractions import Fraction
from pathlib import Path

import numpy as np

RATE = 16_000


def picture(shade: int, size: tuple[int, int] = (48, 32)) -> np.ndarray:
    """A grey picture (H, W, 3) whose shade survives compression within a few steps."""
    width, height = size
    return np.full((height, width, 3), shade, dtype=np.uint8)


def write_clip(
    path: Path,
    shades: list[int],
    *,
    fps: int = 10,
    sound: np.ndarray | None = None,
    size: tuple[int, int] = (48, 32),
) -> None:
    """An MPEG-4 file of one picture per shade, with sound at 16 kHz if it is given, float (n,) in [-1, 1]."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=fps)
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.bit_rate = 4_000_000
        audio = None if sound is None else container.add_stream("aac", rate=RATE, layout="mono")
        for number, shade in enumerate(shades):
            frame = av.VideoFrame.from_ndarray(picture(shade, size), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            frame = av.AudioFrame.from_ndarray(sound.astype(np.float32)[None], format="fltp", layout="mono")
            frame.sample_rate = RATE
            frame.pts, frame.time_base = 0, Fraction(1, RATE)
            container.mux(audio.encode(frame))
            container.mux(audio.encode(None))


def tone(hertz: float, seconds: float) -> np.ndarray:
    """A sine at half the loudest."""
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
