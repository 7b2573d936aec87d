"""Headers that make a brain too small or too large."""

from dataclasses import replace

import pytest

from semivae_bundle.data.brain_size import implausible_sizes
from semivae_bundle.data.orientation import Geometry

# 140 x 176 x 148 mm, as in BraTS.
USUAL = Geometry("A", "A-t1c.nii.gz", "LPS", (0, 239, 0), (240, 240, 155), (1, 1, 1), ((50, 189), (30, 205), (3, 150)))


def test_a_usual_brain_is_no_surprise() -> None:
    assert implausible_sizes([USUAL]) == []


@pytest.mark.parametrize(
    ("spacing", "found"),
    [
        ((0.25, 0.25, 0.25), "35 x 44 x 37 mm, voxels of 0.25 x 0.25 x 0.25 mm"),  # 1 mm for 4
        ((1, 1, 5), "140 x 176 x 740 mm, voxels of 1 x 1 x 5 mm"),
    ],
)
def test_a_size_that_no_brain_has_is_a_warning(spacing: tuple[float, float, float], found: str) -> None:
    (problem,) = implausible_sizes([USUAL, replace(USUAL, subject="B", spacing=spacing)])
    assert (problem.subject, problem.found, problem.is_warning) == ("B", found, True)
