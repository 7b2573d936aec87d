"""A phantom scanned again: new contrasts, new scanners, new stripping, the same tumour (SynthSeg, arXiv:2107.09559)."""

from __future__ import annotations

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor

from semivae_bundle.data.field_of_view import BrainFieldOfView
from semivae_bundle.data.phantom.contrast import draw_contrast
from semivae_bundle.data.phantom.subject import render
from semivae_bundle.data.phantom.tissue_map import TissueMap
from semivae_bundle.data.phantom.variety import Variety, vary_stripping, vary_tissues
from semivae_bundle.data.subjects import MODALITIES


def rescan(rng: np.random.Generator, tissue: TissueMap, variety: Variety) -> Tensor:
    """A new image of a tissue map, (4, D, H, W) float32 on the map's whole image, z-scored as every scan is."""
    grid = tissue.grid
    contrast = draw_contrast(rng, variety.style)
    tissues = vary_tissues(rng, tissue.tissues, tissue.depth, grid, variety)
    kept = vary_stripping(rng, tissues, tissue.depth, tissue.tumour, grid, variety)
    image = torch.zeros(len(MODALITIES), *tissue.shape)
    image[(slice(None), *tissue.part)] = torch.from_numpy(render(rng, tissues, kept, contrast, grid)).float()
    # The preprocessing's own step: on the model's grid it resamples nothing, and standardises.
    affine = torch.diag(torch.tensor([tissue.spacing] * 3 + [1.0], dtype=torch.float64))
    view = BrainFieldOfView(tissue.shape, [n * tissue.spacing for n in tissue.shape])
    return view(MetaTensor(image, affine=affine)).as_tensor()  # type: ignore[attr-defined]
