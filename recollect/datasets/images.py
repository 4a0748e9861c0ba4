"""Decoding one image file from untrusted bytes."""

import io
import warnings

from PIL import Image

from recollect.datasets.errors import CorruptData

MAX_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG")
_BAD_IMAGE = (OSError, SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError)


def decode_image(data: bytes, mode: str, origin: str) -> Image.Image:
    """Decode a PNG or JPEG file to a Pillow image of `mode` ("L" or "RGB").

    Args:
        data: the whole file.
        mode: Pillow mode to convert to.
        origin: name for messages.

    Raises:
        CorruptData: not a PNG or JPEG, truncated, or claiming more than `MAX_PIXELS` pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            size = f"{image.width} x {image.height}"
            raise CorruptData(f"{origin} claims {size} pixels, too big for a data set here: refused")
        return image.convert(mode)
    except _BAD_IMAGE as error:
        raise CorruptData(f"{origin} is not a readable image ({error}): replace it by an intact copy") from error
