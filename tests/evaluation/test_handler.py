import csv
import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from monai.engines import SupervisedEvaluator
from monai.handlers import CheckpointLoader
from torch import nn

from semivae_bundle.evaluation.handler import EvaluationReport, zero_code_image
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.report_page import write_report_page
from semivae_bundle.evaluation.verdict_targets import VerdictTargets
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.batch import PrepareSemiVAEBatch

ROI = (16, 16, 16)


class TinyDecoder(nn.Module):
    """One colour and one class per code."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.colour = nn.Linear(size, 8)

    def forward(self, latent: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = self.colour(latent)[:, :, None, None, None].expand(-1, -1, *ROI)
        return maps[:, :4], maps[:, 4:]


class TinyVAE(nn.Module):
    """What an evaluation needs of a network, and no more."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.to_mean, self.heads, self.decoder = nn.Linear(4, size), nn.Linear(size, 3), TinyDecoder(size)

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        mean = self.to_mean(image.mean(dim=(2, 3, 4)))
        reconstruction, logits = self.decoder(mean)
        return {
            "mean": mean,
            "log_var": torch.zeros_like(mean),
            "features": self.heads(mean),
            "reconstruction": reconstruction,
            "tumour_logits": logits,
            "seen_logits": logits,
        }


def a_network(partition: dict[str, int], seed: int) -> TinyVAE:
    torch.manual_seed(seed)
    return TinyVAE(sum(partition.values()))


def batches(count: int) -> list[dict]:
    generator = torch.Generator().manual_seed(0)
    result = []
    for i in range(count):
        regions = torch.zeros(2, 3, *ROI)
        regions[:, 1, 4:9, 4:9, 4:9] = 1
        regions[:, 1, 6, 6, 6], regions[:, 2, 6, 6, 6] = 0, 1
        result.append(
            {
                "subject": [f"s{2 * i}", f"s{2 * i + 1}"],
                "image": torch.randn(2, 4, *ROI, generator=generator),
                "regions": regions,
                "brain": torch.ones(2, 1, *ROI),
                "features": torch.randn(2, 3, generator=generator),
                "present": torch.ones(2, 3),
                "labelled": torch.ones(2, dtype=torch.bool),
                "index": torch.arange(2),
            }
        )
    return result


@pytest.fixture(scope="module")
def evaluated(
    tmp_path_factory: pytest.TempPathFactory, normalizer: Normalizer, partition: dict[str, int], targets: VerdictTargets
) -> tuple[Path, EvaluationReport, str]:
    """An evaluation of six subjects with weights from a file: its folder, the handler, what it printed."""
    tmp_path, printed = tmp_path_factory.mktemp("evaluated"), io.StringIO()
    trained, network = a_network(partition, seed=1), a_network(partition, seed=2)
    torch.save(trained.state_dict(), tmp_path / "model.pt")
    report = EvaluationReport(
        output_dir=tmp_path,
        network=network,
        normalizer=normalizer,
        partition=partition,
        fov_mm=(240, 240, 240),
        roi_size=ROI,
        patients={},
        provenance={"split": "test"},
        intervals=Intervals(level=0.95, resamples=50, permutations=5, seed=0),
        shown=1,
        latent=LatentOptions(neighbours=5, folds=3, trees=5, draws=20, false_discovery_rate=0.05, seed=0),
        generating=None,
        targets=targets,
    )
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=batches(3),
        network=network,
        prepare_batch=PrepareSemiVAEBatch(),
        val_handlers=[CheckpointLoader(str(tmp_path / "model.pt"), {"network": network}), report],
        decollate=False,
    )
    with redirect_stdout(printed):
        evaluator.run()
    assert torch.equal(network.to_mean.weight, trained.to_mean.weight)
    return tmp_path / "evaluation", report, printed.getvalue()


def test_an_evaluation_writes_metrics_predictions_and_figures(evaluated: tuple[Path, EvaluationReport, str]) -> None:
    folder, *_ = evaluated
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["subjects"]["evaluated"] == 6
    assert metrics["features"]["vol_total"]["r2"]["value"] < 1
    with (folder / "predictions.csv").open() as stream:
        assert [row["subject"] for row in csv.DictReader(stream)] == [f"s{i}" for i in range(6)]
    assert {file.name for file in folder.iterdir()} == {
        "metrics.json",
        "predictions.csv",
        "report.html",
        "predicted_against_measured.png",
        "latent_correlation.png",
        "latent_projection.png",
        "reconstruction_s0.png",
    }


def test_the_page_can_be_rendered_again_from_what_was_written(
    evaluated: tuple[Path, EvaluationReport, str], targets: VerdictTargets
) -> None:
    folder, *_ = evaluated
    written = (folder / "report.html").read_bytes()
    assert json.loads((folder / "metrics.json").read_text())["verdict_targets"]["volume_r2"] == targets.volume_r2
    assert write_report_page(folder, targets).read_bytes() == written


def test_volumes_are_kept_of_the_shown_subjects_only(evaluated: tuple[Path, EvaluationReport, str]) -> None:
    _, report, _ = evaluated
    assert [one.subject for one in report.shown] == ["s0"]
    assert len(report.rows) == 6


def test_the_table_is_printed(evaluated: tuple[Path, EvaluationReport, str]) -> None:
    assert "test: 6 subjects of 6 patients, 6 labelled" in evaluated[2]


def test_the_zero_code_is_decoded_with_the_loaded_weights(
    evaluated: tuple[Path, EvaluationReport, str], partition: dict[str, int]
) -> None:
    _, report, _ = evaluated
    trained = a_network(partition, seed=1)
    expected = trained.decoder(torch.zeros(1, 20))[0][0].detach().numpy()
    assert report.template == pytest.approx(expected, abs=1e-5)
    assert zero_code_image(trained, 20).shape == (4, *ROI)
    assert trained.training  # left as it was


def test_a_second_run_starts_afresh(evaluated: tuple[Path, EvaluationReport, str]) -> None:
    _, report, _ = evaluated
    report.start(None)  # type: ignore[arg-type]
    assert report.rows == []
    assert report.shown == []


def test_a_file_in_the_folder_s_place_is_found_before_the_scans(
    evaluated: tuple[Path, EvaluationReport, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, report, _ = evaluated
    (tmp_path / "evaluation").write_text("")
    monkeypatch.setattr(report, "folder", tmp_path / "evaluation")
    with pytest.raises(ValueError, match="expected a folder to write to, found a file there"):
        report.start(None)  # type: ignore[arg-type]
