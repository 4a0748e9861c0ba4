"""Decoding one image file from untrusted bytes."""

import io
import warnings

from PIL import Image

from recollect.datasets.errors import CorruptData

MAX_PIXELS = 4096 * 4096
FORMATS = ("PNG", "JPEG")
_BAD_IMAGE = (OSError, SyntaxError, ValueError, EOFError, MemoryError, Image.DecompressionBombError)


def decode_image(
    data: bytes, mode: str, origin: str, formats: tuple[str, ...] = FORMATS, max_pixels: int = MAX_PIXELS
) -> Image.Image:
    """Decode an image file to a Pillow image of `mode` ("L" or "RGB").

    Args:
        data: the whole file.
        mode: Pillow mode to convert to.
        origin: name for messages.
        formats: Pillow's names of those accepted.
        max_pixels: more are refused before they are decoded.

    Raises:
        CorruptData: of another format, truncated, or claiming more than `max_pixels` pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=formats)
        if image.width * image.height > max_pixels:
            size = f"{image.width} x {image.height}"
            raise CorruptData(f"{origin} claims {size} pixels, too big for a data set here: refused")
        return image.convert(mode)
    except _BAD_IMAGE as error:
        raise CorruptData(f"{origin} is not a readable image ({error}): replace it by an intact copy") from error
