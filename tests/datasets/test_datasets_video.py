"""Pictures and sound of clips written here, and spectrograms against the library's own extractor."""

import numpy as np
import pytest
from clip_files import RATE, tone, write_clip

from recollect.datasets.errors import CorruptData
from recollect.datasets.sound import AST_SHAPE, ast_spectrogram
from recollect.datasets.video import read_frames, read_sound


def shades_of(frames):
    return frames.reshape(len(frames), -1).mean(axis=1)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 16, 31])
def test_pictures_come_from_the_middles_of_equal_parts(tmp_path, n):
    shades = [20 + 7 * i for i in range(n)]
    write_clip(tmp_path / "a.mp4", shades)
    found = read_frames(tmp_path / "a.mp4", "a.mp4", 4, side=16)
    assert found.shape == (4, 3, 16, 16)
    expected = [shades[int((i + 0.5) * n / 4)] for i in range(4)]
    assert np.abs(shades_of(found) - expected).max() < 3


def test_clips_of_any_size_become_a_square_of_their_middle(tmp_path):
    import av
    from PIL import Image

    for size in ((64, 32), (32, 64)):
        path = tmp_path / f"{size[0]}.mp4"
        write_clip(path, [200, 100], size=size)
        found = read_frames(path, "a", 2, side=16)
        assert found.shape == (2, 3, 16, 16)
        with av.open(str(path)) as container:
            first = next(container.decode(video=0)).to_ndarray(format="rgb24")
        scale = 16 / min(size)
        small = Image.fromarray(first).resize(
            (int(size[0] * scale), int(size[1] * scale)), Image.Resampling.BICUBIC
        )
        left, top = (small.width - 16) // 2, (small.height - 16) // 2
        cut = np.asarray(small.crop((left, top, left + 16, top + 16))).transpose(2, 0, 1)
        assert np.array_equal(found[0], cut)


def test_sound_is_mixed_and_resampled(tmp_path):
    write_clip(tmp_path / "a.mp4", [100] * 10, sound=tone(1000, 1.0))
    found = read_sound(tmp_path / "a.mp4", "a.mp4", 8000)
    assert abs(len(found) - 8000) < 8000 * 0.2  # the codec adds silence at both ends
    spectrum = np.abs(np.fft.rfft(found[1000:5000]))
    assert spectrum.argmax() == 1000 * 4000 / 8000
    assert read_sound(tmp_path / "a.mp4", "a.mp4", RATE).size > 15000


def test_a_clip_without_sound_says_so(tmp_path):
    write_clip(tmp_path / "a.mp4", [100, 120])
    assert read_sound(tmp_path / "a.mp4", "a.mp4", RATE) is None


def test_files_and_bytes_are_read_alike(tmp_path):
    write_clip(tmp_path / "a.mp4", [10, 90, 170, 250], sound=tone(500, 0.4))
    data = (tmp_path / "a.mp4").read_bytes()
    assert np.array_equal(read_frames(data, "a", 3), read_frames(tmp_path / "a.mp4", "a", 3))
    assert np.array_equal(read_sound(data, "a", RATE), read_sound(tmp_path / "a.mp4", "a", RATE))


def test_damaged_clips_are_named(tmp_path):
    write_clip(tmp_path / "whole.mp4", [10 * i for i in range(20)], sound=tone(500, 2))
    data = (tmp_path / "whole.mp4").read_bytes()
    write_clip(tmp_path / "silent.mp4", [10, 20])
    for name, content in (("empty.mp4", b""), ("text.mp4", b"<html>not found</html>"), ("cut.mp4", data[:2000])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CorruptData, match=f"{name} cannot be decoded"):
            read_frames(tmp_path / name, name, 4)
        with pytest.raises(CorruptData, match=f"{name} cannot be decoded"):
            read_sound(tmp_path / name, name, RATE)
    with pytest.raises(CorruptData, match=r"gone\.mp4 is not there"):
        read_frames(tmp_path / "gone.mp4", "gone.mp4", 4)


def test_a_clip_of_sound_alone_has_no_pictures(tmp_path):
    from scipy.io import wavfile

    wavfile.write(tmp_path / "a.wav", RATE, (tone(500, 0.5) * 2**15).astype(np.int16))
    with pytest.raises(CorruptData, match=r"a\.wav has no pictures"):
        read_frames(tmp_path / "a.wav", "a.wav", 4)
    assert np.abs(read_sound(tmp_path / "a.wav", "a.wav", RATE) - tone(500, 0.5)).max() < 1e-4


@pytest.mark.parametrize("seconds", [0.01, 0.5, 10.0, 12.0])
def test_spectrograms_are_those_of_the_library(seconds):
    """`transformers` has the same features behind its own interface; it works in single precision."""
    from transformers import ASTFeatureExtractor
    from transformers.utils import is_speech_available

    if is_speech_available():
        pytest.skip("with torchaudio installed the library computes them by other code")
    rng = np.random.default_rng(0)
    x = 0.3 * rng.normal(size=int(seconds * RATE)).astype(np.float32)
    found = ast_spectrogram(x)
    assert found.dtype == np.float16
    assert found.shape == AST_SHAPE
    if len(x) >= 400:
        expected = ASTFeatureExtractor()(x, sampling_rate=RATE, return_tensors="np").input_values[0]
        np.testing.assert_allclose(found.astype(np.float64), expected, rtol=0, atol=2e-3)
    else:
        assert len(np.unique(found)) == 1
