"""calibration.json: what turns a prediction into an interval, and says whether a scan is like those it was made on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from semivae_bundle.data.files import read_record, write_json_atomically
from semivae_bundle.evaluation.conformal import FloatArray
from semivae_bundle.evaluation.novelty import NoveltyGate
from semivae_bundle.evaluation.plain_json import plain
from semivae_bundle.evaluation.prerequisites import require_checkpoint
from semivae_bundle.evaluation.provenance import checkpoint_record

SCHEMA = "semivae-calibration/1"
FILE_NAME = "calibration.json"
REMEDY = (
    "make it with: python -m monai.bundle run calibrating --config_file "
    "\"['configs/train.json','configs/calibrate.json']\" --dataset_dir DIR"
)
# A predicted volume 64 times smaller or larger than the usual one counts as 64 times: powers of it stay sensible.
LARGEST_LOG_RATIO = float(np.log(64))


@dataclass(frozen=True)
class FeatureCalibration:
    """Half the width of one feature's interval, in the table's `unit`: quantile * (V / V_usual) ** exponent.

    V is the predicted volume (column `volume`; None: width is constant), ln(V_usual + 1) = `reference`. `scans`: how
    many, one per patient, are behind it. `quantile` is None where they were too few, and `reason` says so.
    """

    column: str
    unit: str
    quantile: float | None
    scans: int
    exponent: float
    volume: str | None
    reference: float
    reason: str | None = None


@dataclass(frozen=True)
class Calibration:
    """The content of calibration.json. `novelty` is None where the scans were too few, `novelty_reason` says so."""

    level: float
    features: tuple[FeatureCalibration, ...]
    novelty: NoveltyGate | None
    novelty_reason: str | None
    provenance: Mapping[str, Any]

    @property
    def columns(self) -> tuple[str, ...]:
        """Feature columns in the normalizer's order."""
        return tuple(feature.column for feature in self.features)

    @property
    def sha256(self) -> str:
        """Hash of the content: results made with the same numbers are the same results."""
        return hashlib.sha256(json.dumps(plain(asdict(self)), sort_keys=True).encode()).hexdigest()

    def half_widths(self, table: FloatArray) -> FloatArray:
        """Predictions in the table's units (n, F) -> half widths in the same units (n, F), NaN where not calibrated."""
        if table.ndim != 2 or table.shape[1] != len(self.features):
            raise ValueError(f"calibration: expected (n, {len(self.features)}) for {self.columns}, found {table.shape}")
        widths = np.full(table.shape, np.nan)
        for f, feature in enumerate(self.features):
            if feature.quantile is not None:
                volume = None if feature.volume is None else table[:, self.columns.index(feature.volume)]
                widths[:, f] = feature.quantile * difficulty(volume, feature.reference, feature.exponent, len(table))
        return widths

    def to_json(self, calibration_file: str | Path) -> None:
        """Write atomically as readable JSON."""
        write_json_atomically(Path(calibration_file), {"schema": SCHEMA, **plain(asdict(self))})

    @classmethod
    def from_json(cls, calibration_file: str | Path) -> Calibration:
        """Read what `to_json` wrote; raises ValueError for anything else."""
        path = Path(calibration_file)
        content = read_record(path, REMEDY, f"a calibration of schema {SCHEMA!r}")
        try:
            if content["schema"] != SCHEMA:
                raise ValueError(f"schema {content['schema']!r}")
            return cls(
                level=content["level"],
                features=tuple(FeatureCalibration(**feature) for feature in content["features"]),
                novelty=None if content["novelty"] is None else NoveltyGate.from_plain(content["novelty"]),
                novelty_reason=content["novelty_reason"],
                provenance=content["provenance"],
            )
        except (KeyError, TypeError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
            raise ValueError(f"{path}: expected a calibration of schema {SCHEMA!r}, found {found}; {REMEDY}") from error


def difficulty(volume: FloatArray | None, reference: float, exponent: float, n: int) -> FloatArray:
    r"""$(V / V_{usual})^{exponent}$ from ln volumes (n,): how much harder than usual each scan is, 1 where it is usual.

    Stated, not fitted, so that the intervals keep their guarantee with every calibration scan. A boundary misplaced by
    a constant thickness costs a volume V an error of V^(-1/3), relatively: small tumours are the harder ones.
    """
    if volume is None:
        return np.ones(n)
    ratio = np.clip(volume - reference, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    return np.asarray(np.exp(exponent * ratio), dtype=np.float64)


def is_found_by_itself(calibration_file: str | Path, normalizer_file: str | Path) -> bool:
    """Whether `read_calibration` takes the file without its being named: where it lies beside the normalizer."""
    return Path(calibration_file).resolve() == Path(normalizer_file).with_name(FILE_NAME).resolve()


def read_calibration(
    calibration_file: str | Path | None,
    checkpoint: str | Path,
    normalizer_file: str | Path,
    grid: Mapping[str, Sequence[float]],
) -> Calibration | None:
    """The calibration of these weights and this normalizer, on this `grid` (`roi_size`, `fov_mm`).

    `calibration_file` None: calibration.json beside the normalizer, or None where there is none. A file that is named
    must be there. Raises ValueError for a calibration of other weights, of another normalizer or grid.
    """
    path = Path(normalizer_file).with_name(FILE_NAME) if calibration_file is None else Path(calibration_file)
    if not path.is_file():
        if calibration_file is None:
            return None
        raise FileNotFoundError(f"{path}: no calibration; {REMEDY}")
    calibration = Calibration.from_json(path)
    files = {"checkpoint": require_checkpoint(checkpoint), "normalizer": Path(normalizer_file)}
    for what, file in files.items():
        made_for, found = calibration.provenance[what]["sha256"], checkpoint_record(file)["sha256"]
        if made_for != found:
            raise ValueError(
                f"{path}: made for another {what} (SHA-256 {made_for}) than {file} ({found}), so its intervals would "
                f"mean nothing; give --normalizer_file of the training of these weights, if {normalizer_file} is not; "
                f"if it is, {REMEDY}"
            )
    for what, sides in grid.items():
        made_for = calibration.provenance.get("settings", {}).get(what, sides)
        if [*made_for] != [*sides]:
            raise ValueError(
                f"{path}: made with {what} {[*made_for]}, found {[*sides]}; errors of another grid are others; "
                f"{REMEDY} and the same {what}, or copy the normalizer to a folder of its own and give it with "
                "--normalizer_file to go without intervals"
            )
    return calibration


def calibration_or_exit(
    calibration_file: str | Path | None,
    checkpoint: str | Path,
    normalizer_file: str | Path,
    grid: Mapping[str, Sequence[float]],
) -> Calibration | None:
    """`read_calibration`, ending the command with its message as `checkpoint_or_exit` does."""
    try:
        return read_calibration(calibration_file, checkpoint, normalizer_file, grid)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f"evaluating: {error}") from None
