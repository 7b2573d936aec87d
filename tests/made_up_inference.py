"""An inference on dated visits, made up from curves whose answer is known."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from semivae_bundle.evaluation.predictions import latent_columns

DAYS = (0, 120, 250, 400)
PARTITION = {"vol": 16, "loc": 12, "shape": 24, "residual": 76}


def curves_of(patients: int) -> pd.DataFrame:
    """Curves as the phantoms have them; a row per patient."""
    rng = np.random.default_rng(0)
    rate, start = np.exp(rng.normal(0.0, 0.5, patients)), np.exp(rng.normal(10.5, 0.5, patients))
    capacity = np.exp(rng.normal(12.3, 0.3, patients))
    names = [f"{i:05d}" for i in range(patients)]
    return pd.DataFrame({"start_mm3": start, "rate_per_year": rate, "capacity_mm3": capacity}, index=names)


def volumes_of(curves: pd.DataFrame) -> pd.DataFrame:
    """True volumes, four visits each: subject, patient, visit, date, mm3."""
    rows = []
    for patient, curve in curves.iterrows():
        for visit, days in enumerate(DAYS):
            date = (pd.Timestamp("2020-01-01") + pd.Timedelta(days=days)).date().isoformat()
            shrinking = np.exp(-curve.rate_per_year * days / 365.25)
            volume = curve.capacity_mm3 * (curve.start_mm3 / curve.capacity_mm3) ** shrinking
            rows.append((f"{patient}-{visit}", patient, f"{visit:03d}", date, volume))
    return pd.DataFrame(rows, columns=["subject", "patient", "visit", "date", "mm3"])


def write_inference(folder: Path, volumes: pd.DataFrame, sd: float, level: float = 0.9) -> Path:
    """What an inference leaves: volumes known to a factor exp(`sd`), and codes that count the rows."""
    folder.mkdir(exist_ok=True)
    z = {0.9: 1.6448536, 0.95: 1.9599640}[level]
    keys = volumes[["subject", "patient", "visit", "date"]].assign(modalities="t1c t1n t2f t2w")
    mm3 = volumes["mm3"].to_numpy()
    upper = np.expm1(np.log1p(mm3) + z * sd)
    lower = np.expm1(np.log1p(mm3) - z * sd).clip(0)
    features = keys.assign(
        segmented_total_mm3=mm3, vol_total_mm3=mm3, vol_total_mm3_lower=lower, vol_total_mm3_upper=upper
    )
    names = latent_columns(PARTITION)
    means = pd.DataFrame(np.arange(len(keys))[:, None] * np.ones(128), columns=[f"mean_{name}" for name in names])
    log_vars = pd.DataFrame(np.full((len(keys), 128), -2.0), columns=[f"log_var_{name}" for name in names])
    # Backwards, so that the order comes from the dates.
    features[::-1].to_csv(folder / "features.csv", index=False)
    pd.concat([keys, means, log_vars], axis="columns").to_csv(folder / "latents.csv", index=False)
    (folder / "run.json").write_text(
        json.dumps({"checkpoint": {"sha256": "of the weights"}, "calibration": {"level": level}})
    )
    return folder
