import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semivae_bundle.evaluation.embedding import embedded


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """A picture that no compression makes small."""
    colours = np.random.default_rng(0).integers(0, 256, size=(200, 400, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def decoded(uri: str) -> Image.Image:
    head, data = uri.split(",")
    assert head == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_a_picture_is_made_narrower_and_keeps_its_proportions(noisy: Path) -> None:
    found = embedded(noisy, widest=100)
    assert (found.name, found.width, found.height) == ("noise", 100, 50)
    assert decoded(found.uri).size == (100, 50)


def test_a_narrow_picture_keeps_its_size_and_loses_colours(noisy: Path) -> None:
    found = embedded(noisy, colours=16)
    assert (found.width, found.height) == (400, 200)
    assert len(decoded(found.uri).convert("RGB").getcolors(maxcolors=1 << 20)) <= 16
    assert len(found.uri) < noisy.stat().st_size


def test_a_file_always_becomes_the_same_bytes(noisy: Path) -> None:
    assert embedded(noisy).uri == embedded(noisy).uri
