"""Gathers results while the evaluator runs, and writes the report at the end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from ignite.engine import Engine, Events
from numpy.typing import NDArray
from torch import nn

from semivae_bundle.data.files import atomic_path, write_json_atomically
from semivae_bundle.data.places import require_folder
from semivae_bundle.evaluation.attention_in_tumour import AttentionInTumour
from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.coverage import coverage_section
from semivae_bundle.evaluation.figure_training import history_file_of
from semivae_bundle.evaluation.figures import write_figures
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.latent_projection import Projection, pca_projection
from semivae_bundle.evaluation.measure_batch import measure_batch
from semivae_bundle.evaluation.multiscale_quality import multiscale_statement
from semivae_bundle.evaluation.predictions import predictions_table
from semivae_bundle.evaluation.report import Intervals, metrics_report
from semivae_bundle.evaluation.report_page import write_report_page
from semivae_bundle.evaluation.results import ShownSubject, SubjectResult, join_results
from semivae_bundle.evaluation.summary_table import summary_table
from semivae_bundle.evaluation.verdict_targets import VerdictTargets
from semivae_bundle.features.normalizer import Normalizer


class EvaluationReport:
    """Writes metrics.json, predictions.csv, the figures and report.html below `output_dir`/evaluation, and prints a
    table.

    Attach it after the handler that loads the weights. Per subject a few hundred numbers are kept; volumes only of the
    first `shown` subjects, in the order of the split: chosen before anything is known of how well they come out.
    `patients`: subject -> patient, the unit that intervals are drawn over. `provenance`: from `provenance_record`.
    `generating`: from `read_factors`. `targets`: what report.html judges by.
    `calibration`: intervals whose coverage is reported, None to go without. `projection`: lays the code flat. Runs in
    one process.
    """

    def __init__(
        self,
        output_dir: str | Path,
        network: nn.Module,
        normalizer: Normalizer,
        partition: Mapping[str, int],
        fov_mm: Sequence[float],
        roi_size: Sequence[int],
        patients: Mapping[str, str],
        provenance: Mapping[str, Any],
        intervals: Intervals,
        shown: int,
        latent: LatentOptions,
        generating: pd.DataFrame | None,
        targets: VerdictTargets,
        calibration: Calibration | None = None,
        projection: Projection = pca_projection,
    ) -> None:
        self.output_dir = Path(output_dir)
        self.folder = self.output_dir / "evaluation"
        self.network = network
        self.normalizer = normalizer
        self.partition = dict(partition)
        self.voxel_mm3 = float(np.prod([mm / side for mm, side in zip(fov_mm, roi_size, strict=True)]))
        self.roi_size = tuple(roi_size)
        self.patients = dict(patients)
        self.provenance = provenance
        self.intervals = intervals
        self.shown_count = shown
        self.latent = latent
        self.generating = generating
        self.targets = targets
        self.calibration = calibration
        self.attention = AttentionInTumour(network, list(partition))
        self.projection = projection

    def attach(self, engine: Engine) -> None:
        """Start, gather, write."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.gather)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Forget an earlier run; decode the zero code with the weights as they are now. A folder that can't be written
        to is found before the scans.
        """
        require_folder(self.folder)
        self.begun = time.perf_counter()
        self.rows: list[SubjectResult] = []
        self.shown: list[ShownSubject] = []
        self.attention.start()
        self.template = zero_code_image(self.network, sum(self.partition.values()))

    def gather(self, engine: Engine) -> None:
        """Reduce one batch to its figures."""
        output = engine.state.output
        self.attention.add(output["label"])
        subjects = list(engine.state.batch["subject"])
        for row, volumes in measure_batch(subjects, output["pred"], output["label"], self.template, self.voxel_mm3):
            self.rows.append(row)
            if len(self.shown) < self.shown_count:
                self.shown.append(volumes)

    def finish(self, engine: Engine) -> None:
        """Compute, write, print."""
        gathered = time.perf_counter()
        results = join_results(self.rows, self.patients)
        report = metrics_report(
            results, self.normalizer, self.partition, self.intervals, self.provenance, self.latent, self.generating
        )
        report["image"]["ms_ssim"] = multiscale_statement(self.roi_size)
        spread = self.intervals
        report |= self.attention.section(results.patients, spread.resamples, spread.seed, spread.level)
        if self.calibration is not None:
            report["coverage"] = coverage_section(
                results, self.normalizer, self.calibration, self.provenance, spread.level, spread.seed
            )
        report["verdict_targets"] = asdict(self.targets)
        write_json_atomically(self.folder / "metrics.json", report)
        with atomic_path(self.folder / "predictions.csv") as part:
            predictions_table(results, self.normalizer, self.partition).to_csv(part)
        history_file = history_file_of(self.folder, self.provenance)
        figures = write_figures(
            self.folder, results, self.shown, self.normalizer, self.partition, report, history_file, self.projection
        )
        page = write_report_page(self.folder, self.targets)
        written = time.perf_counter()
        print(summary_table(report))
        print(
            f"\nwritten: {self.folder}/metrics.json, predictions.csv, {len(figures)} figures and {page.name} "
            f"({gathered - self.begun:.1f} s for the scans, {written - gathered:.1f} s for the report)"
        )


@torch.no_grad()
def zero_code_image(network: nn.Module, latent_size: int) -> NDArray[np.float32]:
    """What the decoder draws when the code says nothing: (C, D, H, W)."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    image = network.decoder(torch.zeros(1, latent_size, device=device))[0][0]  # type: ignore[operator]
    network.train(was_training)
    return np.asarray(image.float().cpu().numpy())
