"""A training's weights and normalizer -> models/, small enough to be shared: python scripts/ship_weights.py outputs

Large weights are stored in half precision, which halves the file; loading gives single precision again. Small ones,
such as the heads', and running statistics stay as they are. Calibrate and evaluate what is shipped, not what was
trained:

    python -m semivae_bundle calibrate DIR --output_dir outputs \
        --checkpoint models/model.pt --calibration_file models/calibration.json
    python -m semivae_bundle evaluate DIR --output_dir outputs \
        --checkpoint models/model.pt --calibration_file models/calibration.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import fire
import torch
from torch import Tensor

from semivae_bundle.data.files import atomic_path, sha256_of_file
from semivae_bundle.training.weights_record import NORMALIZER, write_weights_record

ZOO_LIMIT_MB = 25.0  # larger files have to lie elsewhere, behind a URL
LARGE = 10_000  # numbers; smaller tensors take no room, and the features are read through them


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Large weights in float16, everything else as it is. Raises where a number isn't finite, or not in that range."""
    small = {}
    for name, value in state.items():
        large = name.endswith(".weight") and value.dtype == torch.float32 and value.numel() >= LARGE
        small[name] = value.half() if large else value
        if not small[name].isfinite().all():
            raise ValueError(f"{name}: expected finite weights within float16's range, found {value.abs().max():g}")
    return small


def ship(output_dir: str, models_dir: str = "models") -> None:
    """Write model.pt, what it was trained on as model.json, and normalizer.json.

    Args:
        output_dir: what the training wrote into: checkpoints/model.pt, model.json and normalizer.json
        models_dir: where the bundle keeps what it ships
    """
    source, target = Path(str(output_dir)), Path(str(models_dir))
    files = [source / name for name in ("checkpoints/model.pt", "checkpoints/model.json", "normalizer.json")]
    # The one of their training; the other may have been fitted since, on a cohort that grew.
    if (kept := source / "checkpoints" / NORMALIZER).is_file():
        files[2] = kept
    if missing := [str(file) for file in files if not file.is_file()]:
        raise SystemExit(f"ship_weights: expected what a training writes, found no {', '.join(missing)}")
    # All is read before anything is written: models/ is never of two trainings.
    state = halved(torch.load(files[0], map_location="cpu", weights_only=True))
    record = json.loads(files[1].read_text(encoding="utf-8"))
    normalizer = files[2].read_bytes()
    with atomic_path(target / "model.pt") as part:
        torch.save(state, part)
    with atomic_path(target / "normalizer.json") as part:
        part.write_bytes(normalizer)
    write_weights_record(target / "model.pt", record["made_for"], record.get("made_of", {}), sha256_of_file(files[0]))
    if (target / "calibration.json").is_file():
        print(f"{target / 'calibration.json'}: of the weights before these; calibrate again")
    megabytes = (target / "model.pt").stat().st_size / 1e6
    print(f"{target / 'model.pt'}: {megabytes:.1f} MB{'' if megabytes < ZOO_LIMIT_MB else ', beyond the Zoo'}")


if __name__ == "__main__":
    fire.Fire(ship)
