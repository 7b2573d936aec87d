"""One batch of network outputs -> one result per subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.image_quality import data_range, image_quality
from semivae_bundle.evaluation.multiscale_quality import multiscale_similarity
from semivae_bundle.evaluation.overlap import (
    Labels,
    counted_volume_per_region,
    dice_per_region,
    label_map,
    volume_per_region,
    with_background,
)
from semivae_bundle.evaluation.results import ShownSubject, SubjectResult
from semivae_bundle.features.schema import REGION_LABELS
from semivae_bundle.losses.kl import in_units_of_prior


def measure_batch(
    subjects: Sequence[str],
    output: Mapping[str, Tensor],
    target: Mapping[str, Tensor],
    template: NDArray[np.float32],
    voxel_mm3: float,
) -> Iterator[tuple[SubjectResult, ShownSubject]]:
    """Results and volumes of each subject, one at a time, so that a caller who drops the volumes never holds many.

    `output` of SemiVAE, `target` of PrepareSemiVAEBatch, `template` (4, D, H, W) the image decoded from the zero code.
    """
    own_mean, own_log_var = in_units_of_prior(output)
    for i, subject in enumerate(subjects):
        shown = _volumes(subject, i, output, target)
        yield (
            SubjectResult(
                subject=subject,
                labelled=shown.measured is not None,
                mean=_array(output["mean"][i]).astype(np.float64),
                log_var=_array(output["log_var"][i]).astype(np.float64),
                own_mean=_array(own_mean[i]).astype(np.float64),
                own_log_var=_array(own_log_var[i]).astype(np.float64),
                predicted=_array(output["features"][i]).astype(np.float64),
                target=_array(target["features"][i]).astype(np.float64),
                present=_array(target["present"][i]) > 0,
                scores=_image_scores(shown, template) | _map_scores(i, shown, output, target, voxel_mm3),
            ),
            shown,
        )


def _array(value: Tensor) -> NDArray[np.float32]:
    return np.asarray(value.detach().float().cpu().numpy())


def _volumes(subject: str, i: int, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> ShownSubject:
    measured: Labels | None = None
    if bool(target["labelled"][i]):
        measured = label_map(with_background(_array(target["regions"][i])))
    return ShownSubject(
        subject=subject,
        image=_array(target["image"][i]),
        reconstruction=_array(output["reconstruction"][i]),
        brain=_array(target["brain"][i])[0] > 0.5,
        decoded=label_map(_array(output["tumour_logits"][i])),
        measured=measured,
    )


def _image_scores(shown: ShownSubject, template: NDArray[np.float32]) -> dict[str, float]:
    """`<modality>_<figure>` for each modality."""
    tumour = np.zeros_like(shown.brain) if shown.measured is None else shown.measured > 0
    if len(shown.image) != len(MODALITIES):
        raise ValueError(
            f"{shown.subject}: expected an image of {len(MODALITIES)} channels ({', '.join(MODALITIES)}), found "
            f"{len(shown.image)}; a model of one modality is measured by `python -m semivae_bundle per_modality`"
        )
    scores: dict[str, float] = {}
    for channel, modality in enumerate(MODALITIES):
        figures = image_quality(
            shown.reconstruction[channel], shown.image[channel], template[channel], shown.brain, tumour
        )
        scores |= {f"{modality}_{name}": value for name, value in figures.items()}
    spans = [data_range(channel, shown.brain) for channel in shown.image]
    similarity = multiscale_similarity(shown.reconstruction, shown.image, shown.brain, spans)
    return scores | {f"{m}_ms_ssim_brain": float(value) for m, value in zip(MODALITIES, similarity, strict=True)}


def _map_scores(
    i: int, shown: ShownSubject, output: Mapping[str, Tensor], target: Mapping[str, Tensor], voxel_mm3: float
) -> dict[str, float]:
    """dice_<region> and decoded_vol_<region>_mm3 of the map that is decoded from the code, seen_dice_<region> and
    seen_vol_<region>_mm3 of the encoder's segmentation, mask_vol_<region>_mm3 of the mask's fractions on the same grid;
    NaN for an unlabelled subject but for the volumes of the maps.

    The volume of a map is counted, because a map of labels is what a user gets. Summed probabilities look finer, but a
    hundredth in each of the many voxels outside adds up to more than a tumour.
    """
    seen = label_map(_array(output["seen_logits"][i]))
    measured = np.zeros_like(shown.decoded) if shown.measured is None else shown.measured
    scores: dict[str, float] = {}
    for labels, overlap, volume in ((shown.decoded, "dice", "decoded_vol"), (seen, "seen_dice", "seen_vol")):
        scores |= {f"{overlap}_{region}": value for region, value in dice_per_region(labels, measured).items()}
        counted = counted_volume_per_region(labels, voxel_mm3)
        scores |= {f"{volume}_{region}_mm3": value for region, value in counted.items()}
    volumes = dict.fromkeys(REGION_LABELS, float("nan"))
    if shown.measured is not None:
        volumes = volume_per_region(with_background(_array(target["regions"][i])), voxel_mm3)
    return scores | {f"mask_vol_{region}_mm3": value for region, value in volumes.items()}
