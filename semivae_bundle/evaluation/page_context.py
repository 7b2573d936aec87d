"""What the templates of the report's page are filled with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.embedding import Picture, embedded
from semivae_bundle.evaluation.leakage_panels import leakage_panels
from semivae_bundle.evaluation.overall_verdict import other_checks, overall_sentence
from semivae_bundle.evaluation.page_numbers import between, estimate
from semivae_bundle.evaluation.page_words import WORDS
from semivae_bundle.evaluation.reproduction import evaluate_command
from semivae_bundle.evaluation.verdict_bounds import largest_bounds
from semivae_bundle.evaluation.verdict_targets import VerdictTargets
from semivae_bundle.evaluation.verdicts import all_verdicts
from semivae_bundle.evaluation.worst_subjects import worst_subjects
from semivae_bundle.features.schema import feature_of

CONTENTS = (
    ("verdicts", "Verdicts"),
    ("features", "Features"),
    ("partitions", "Partitions"),
    ("coverage", "Coverage"),
    ("latent-space", "Latent space"),
    ("independence", "Independence"),
    ("disentanglement", "Disentanglement"),
    ("leakage", "Leakage"),
    ("image", "Decoder"),
    ("worst", "Worst subjects"),
    ("reproduce", "How to reproduce"),
    ("words", "Words"),
)
NAMES = {"pass": "pass", "open": "open", "fail": "fail", "missing": "not made"}
DESCRIBED = ("predicted_against_measured", "latent_correlation", "latent_projection", "training_curves")
RECONSTRUCTION, MOST_OF_A_KIND, WORST = "reconstruction_", 8, 10
SCORES = ("dice_total", "t1c_psnr_brain_db")


@dataclass(frozen=True)
class Shown:
    """A subject with its picture."""

    subject: str
    picture: Picture


def page_context(
    report: Mapping[str, Any],
    predictions: pd.DataFrame,
    figures: Sequence[Path],
    targets: VerdictTargets,
    history: pd.DataFrame | None,
) -> dict[str, Any]:
    """By name, as the templates use them."""
    verdicts = all_verdicts(report, targets, history)
    shown = _reconstructions(figures)
    others = [one for one in figures if one.stem not in DESCRIBED and not one.stem.startswith(RECONSTRUCTION)]
    return {
        "report": report,
        "title": page_title(report),
        "contents": CONTENTS,
        # Weights of another training may never have seen this folder's training scans.
        "trained_on": report["provenance"].get("split") == "train" and report["provenance"].get("trained_here", True),
        "overall": overall_sentence(verdicts),
        "others": other_checks(verdicts),
        "verdicts": verdicts,
        "names": NAMES,
        "pictures": {file.stem: embedded(file) for file in figures if file.stem in DESCRIBED},
        "further": [embedded(file) for file in others[:MOST_OF_A_KIND]],
        "reconstructions": shown,
        "shown": {one.picture.name for one in shown},
        "leakage_panels": leakage_panels(report.get("leakage")),
        "worst": worst_subjects(report, predictions, count=WORST, scores=SCORES),
        "command": evaluate_command(report),
        "modalities": MODALITIES,
        "words": WORDS,
        "description": lambda name: feature_of(name).description.partition(";")[0],
        "active": lambda name: _active(report, name),
        "dependence": lambda name: _dependence(report, name),
    }


def page_title(report: Mapping[str, Any]) -> str:
    """What was evaluated, by which version."""
    source, count = report["provenance"], report["subjects"]["evaluated"]
    subjects = f"{count} subject{'' if count == 1 else 's'}"
    return f"SemiVAE {source.get('package_version', '')}: {source.get('split', 'unknown')} split, {subjects}"


def _reconstructions(figures: Sequence[Path]) -> list[Shown]:
    """Eight at most, whatever `shown_subjects` is: a page must stay small enough to be sent."""
    files = [file for file in figures if file.stem.startswith(RECONSTRUCTION)][:MOST_OF_A_KIND]
    return [Shown(file.stem.removeprefix(RECONSTRUCTION), embedded(file)) for file in files]


def _active(report: Mapping[str, Any], name: str) -> str:
    known = report.get("latent_intervals", {}).get("active_fraction", {}).get(name)
    return estimate(known or {"value": report["partitions"][name]["active_fraction"]})


def _dependence(report: Mapping[str, Any], pair: str) -> str:
    found = report.get("latent_intervals", {}).get("distance_correlation", {}).get(pair)
    if found is None or found["squared"] is None:
        return between(None, None)
    bounds = largest_bounds([found["squared"]], [found["standard_error"]], report["intervals"]["level"])
    low, high = np.sqrt(np.clip(bounds or (np.nan, np.nan), 0, 1)).tolist()
    return between(low, high)
