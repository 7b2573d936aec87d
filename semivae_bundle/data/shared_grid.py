"""Four files of one scan as one image, though the last digits of their headers differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from monai.data import NibabelReader
from numpy.typing import NDArray

from semivae_bundle.data.orientation import GRID_TOLERANCE


class SharedGridReader(NibabelReader):
    """NibabelReader that gives images whose affines agree, as the index takes agreement, the first one's affine.

    MONAI stacks files only where they agree to 1e-8, which two converters' rounding of one quaternion does not. What
    differs by more is left to its refusal. A fourth axis of one entry, which some converters write, is none.
    """

    shared: NDArray[Any] | None = None

    def __init__(self) -> None:
        super().__init__(squeeze_non_spatial_dims=True)

    def get_data(self, img: Any) -> Any:
        """Voxels and header of one image or of several, stacked."""
        self.shared = None
        return super().get_data(img)

    def _get_affine(self, img: Any) -> NDArray[Any]:
        affine: NDArray[Any] = super()._get_affine(img)
        if self.shared is None:
            self.shared = affine
        # Twice: both may lie that far from the grid that the index compared them with.
        return self.shared if np.allclose(affine, self.shared, rtol=0, atol=2 * GRID_TOLERANCE) else affine
