"""Gathers what calibration needs while the evaluator runs, and writes calibration.json at the end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ignite.engine import Engine, Events

from semivae_bundle.data.places import require_place
from semivae_bundle.evaluation.calibration import SCHEMA, Calibration, is_found_by_itself
from semivae_bundle.evaluation.conformal import FloatArray, TooFewScans, check_level
from semivae_bundle.evaluation.interval_fitting import fit_intervals
from semivae_bundle.evaluation.novelty_fitting import fit_novelty_gate
from semivae_bundle.evaluation.provenance import checkpoint_record
from semivae_bundle.evaluation.results import Results, SubjectResult, join_results
from semivae_bundle.evaluation.scan_profiles import scan_profiles
from semivae_bundle.evaluation.scan_scores import SCORES, scores_of_batch
from semivae_bundle.evaluation.summary_table import aligned
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.losses.kl import in_units_of_prior


class CalibrationReport:
    """Writes `calibration_file` and prints a table. Attach it after the handler that loads the weights.

    `patients`: subject -> patient. `level`: of the intervals. `difficulty`: partition or column -> exponent of the
    predicted volume that widths go with. `false_alarm_rate`: of the novelty gate. `provenance`: from
    `provenance_record`. Runs in one process.
    """

    def __init__(
        self,
        calibration_file: str | Path,
        normalizer_file: str | Path,
        normalizer: Normalizer,
        patients: Mapping[str, str],
        provenance: Mapping[str, Any],
        level: float,
        difficulty: Mapping[str, float],
        false_alarm_rate: float,
        seed: int,
    ) -> None:
        check_level(level, "--calibration_level")
        check_level(false_alarm_rate, "--false_alarm_rate")
        self.calibration_file = Path(calibration_file)
        self.normalizer_file = Path(normalizer_file)
        self.normalizer = normalizer
        self.patients = dict(patients)
        self.provenance = dict(provenance)
        self.level = level
        self.difficulty = dict(difficulty)
        self.false_alarm_rate = false_alarm_rate
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Start, gather, write."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.gather)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget an earlier run; ask now whether the file may be written, and not after the last scan."""
        require_place(self.calibration_file, SCHEMA.partition("/")[0])
        self.rows: list[SubjectResult] = []
        self.profiles: list[dict[str, FloatArray]] = []

    def gather(self, engine: Engine) -> None:
        """Reduce one batch to its numbers."""
        output, target = engine.state.output["pred"], engine.state.output["label"]
        scores = scores_of_batch(target["image"], output)
        own_mean, own_log_var = in_units_of_prior(output)
        values = {
            name: part.detach().double().cpu().numpy()
            for name, part in (
                ("mean", output["mean"]),
                ("log_var", output["log_var"]),
                ("own_mean", own_mean),
                ("own_log_var", own_log_var),
                ("predicted", output["features"]),
                ("target", target["features"]),
            )
        }
        self.profiles += [scan_profiles(image.float().cpu().numpy()) for image in target["image"]]
        for i, subject in enumerate(engine.state.batch["subject"]):
            self.rows.append(
                SubjectResult(
                    subject=str(subject),
                    labelled=bool(target["labelled"][i]),
                    present=np.asarray(target["present"][i].cpu().numpy() > 0),
                    scores=scores[i],
                    **{name: array[i] for name, array in values.items()},
                )
            )

    def finish(self, engine: Engine) -> None:
        """Fit, write, print."""
        profiles = {name: np.stack([one[name] for one in self.profiles]) for name in self.profiles[0]}
        calibration = self.fit(join_results(self.rows, self.patients), profiles)
        calibration.to_json(self.calibration_file)
        print(calibration_table(calibration))
        print(f"\nwritten: {self.calibration_file}")
        if not is_found_by_itself(self.calibration_file, self.normalizer_file):
            print(f"evaluation and inference take it with --calibration_file {self.calibration_file}")

    def fit(self, results: Results, profiles: Mapping[str, FloatArray] | None = None) -> Calibration:
        """Intervals and gate; a gate that cannot be had is no reason to go without intervals.

        `profiles`: of the images, name -> (n, K).
        """
        features = fit_intervals(results, self.normalizer, level=self.level, exponents=self.difficulty, seed=self.seed)
        gate, reason = None, None
        scores = {name: results.scores[name].to_numpy(dtype=np.float64) for name in SCORES}
        try:
            gate = fit_novelty_gate(
                results.mean,
                scores,
                results.patients,
                false_alarm_rate=self.false_alarm_rate,
                seed=self.seed,
                profiles=profiles,
            )
        except TooFewScans as problem:
            reason = str(problem)
        provenance = {**self.provenance, "normalizer": checkpoint_record(self.normalizer_file)}
        return Calibration(self.level, features, gate, reason, provenance)


def calibration_table(calibration: Calibration) -> str:
    """Half widths of a usual scan, per feature, and what the gate stands on."""
    rows = [["feature", "scans", "±", "unit", "exponent of the volume"]]
    for feature in calibration.features:
        width = "-" if feature.quantile is None else f"{feature.quantile:.4g}"
        rows.append([feature.column, str(feature.scans), width, feature.unit, f"{feature.exponent:.3g}"])
    lines = [f"{calibration.provenance['split']}: {calibration.level:.0%} intervals", "", aligned(rows)]
    lines += [f"no interval for {one.column}: {one.reason}" for one in calibration.features if one.reason]
    if calibration.novelty is None:
        lines.append(f"no novelty gate: {calibration.novelty_reason}")
    else:
        gate = calibration.novelty
        lines.append(
            f"novelty gate: false alarms at most {gate.false_alarm_rate:.0%}, fitted on {gate.fitted_scans} scans, "
            f"ranked against {len(gate.calibration)}"
        )
    return "\n".join(lines)
