from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_correlation import correlation_figure
from semivae_bundle.evaluation.figure_leakage import leakage_figure
from semivae_bundle.evaluation.figure_reconstructions import centre_of_interest, cropped, plane, reconstruction_figure
from semivae_bundle.evaluation.figure_scatter import scatter_figure, short_number
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.figure_training import read_history, training_figure
from semivae_bundle.evaluation.figures import write_figures
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.report import Intervals, metrics_report
from semivae_bundle.evaluation.results import Results, ShownSubject
from semivae_bundle.features.normalizer import Normalizer

INTERVALS = Intervals(level=0.95, resamples=50, permutations=5, seed=0)
LATENT = LatentOptions(neighbours=5, folds=3, trees=5, draws=20, false_discovery_rate=0.05, seed=0)
HISTORY = "epoch,name,value\n1,train/loss,3\n1,sem/vol_r2,0.1\n2,train/loss,2\n2,train/loss,1\n2,weight/kl_vol,0.5\n"


def titles(figure: Figure) -> list[str]:
    return [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]


def test_all_figures_are_written_as_small_pngs(
    results: Results, shown: ShownSubject, normalizer: Normalizer, partition: dict[str, int], tmp_path: Path
) -> None:
    report = metrics_report(results, normalizer, partition, INTERVALS, {}, LATENT, None)
    (tmp_path / "metrics.csv").write_text(HISTORY)
    (tmp_path / "reconstruction_of_yesterday.png").touch()
    files = write_figures(
        tmp_path, results, [shown], normalizer, partition, report, history_file=tmp_path / "metrics.csv"
    )
    names = {file.name for file in tmp_path.glob("*.png")}
    assert names == {
        "predicted_against_measured.png",
        "latent_correlation.png",
        "latent_projection.png",
        "reconstruction_phantom-1.png",
        "training_curves.png",
    }
    assert names == {file.name for file in files}
    for file in files:
        assert file.read_bytes().startswith(b"\x89PNG")
        assert file.stat().st_size < 500_000


def test_leakage_is_drawn_for_each_model_and_its_old_page_goes_where_there_is_none(
    results: Results, normalizer: Normalizer, partition: dict[str, int], tmp_path: Path
) -> None:
    single = replace(results, patients=results.subjects)
    for one, drawn in ((single, True), (results, False)):
        report = metrics_report(one, normalizer, partition, INTERVALS, {}, LATENT, None)
        write_figures(tmp_path, one, [], normalizer, partition, report, history_file=None)
        assert (tmp_path / "leakage.png").exists() == drawn


def test_a_cell_of_the_leakage_quotes_r2_and_what_is_shared_and_a_frame_marks_the_claim() -> None:
    def row(model: str, partition: str, feature: str, r2: float | None) -> dict[str, object]:
        excess = None if feature.startswith(partition) else 0.1
        return {
            "model": model, "partition": partition, "feature": feature, "r2": r2, "r2_of_its_features": 0.25,
            "excess": excess,
        }  # fmt: skip

    values = {("vol", "vol_total"): 0.9, ("vol", "loc_x"): -0.2, ("loc", "vol_total"): None, ("loc", "loc_x"): 0.5}
    rows = [row(model, p, f, r2) for model in ("ridge", "boosted") for (p, f), r2 in values.items()]
    figure = leakage_figure({"table": rows})
    ridge = figure.axes[0]
    assert titles(figure)[:2] == ["ridge", "boosted"]
    assert [text.get_text() for text in ridge.texts][:3] == ["0.90\n(0.25)", "-0.20\n(0.25)", "n/a\n(0.25)"]
    assert [patch.get_xy() for patch in ridge.patches] == [(-0.48, -0.46), (0.52, 0.54)]
    assert ridge.images[0].get_array().min() == 0


def test_without_a_history_there_are_no_training_curves(
    results: Results, normalizer: Normalizer, partition: dict[str, int], tmp_path: Path
) -> None:
    report = metrics_report(results, normalizer, partition, INTERVALS, {}, LATENT, None)
    (tmp_path / "training_curves.png").write_bytes(b"of an earlier evaluation")
    write_figures(tmp_path, results, [], normalizer, partition, report, history_file=None)
    assert not (tmp_path / "training_curves.png").exists()


def test_scatter_has_a_panel_per_feature_with_its_unit_and_figures(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    report = metrics_report(results, normalizer, partition, INTERVALS, {}, LATENT, None)
    figure = scatter_figure(results, normalizer, report["features"])
    assert titles(figure) == ["vol_total [mm³]", "loc_x_total [mm]", "surface_total [mm²]"]
    assert figure.axes[0].get_xscale() == "log"
    assert "R² 0.9" in figure.axes[0].texts[0].get_text()
    assert "R²* 0.9" in figure.axes[2].texts[0].get_text()
    assert "regression on the volume" in figure.get_supxlabel()
    assert "n = 30" in figure.axes[0].texts[0].get_text()
    assert len(np.asarray(figure.axes[0].collections[0].get_offsets())) == 30


def test_scatter_survives_features_that_nobody_has(
    results: Results, normalizer: Normalizer, partition: dict[str, int], tmp_path: Path
) -> None:
    bare = replace(results, present=np.zeros((40, 3), bool))
    report = metrics_report(bare, normalizer, partition, INTERVALS, {}, LATENT, None)
    figure = scatter_figure(bare, normalizer, report["features"])
    assert "n/a" in figure.axes[0].texts[0].get_text()
    assert save_figure(figure, tmp_path / "empty.png").exists()


def test_reconstructions_stand_beside_inputs_in_three_planes(shown: ShownSubject) -> None:
    figure = reconstruction_figure(shown)
    assert len(figure.axes) == 3 * 8
    found = [title for title in titles(figure) if title]
    assert found == [f"{m} {what}" for m in ("t1c", "t1n", "t2f", "t2w") for what in ("input", "reconstruction")]
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["axial", "coronal", "sagittal"]
    assert len(figure.axes[0].collections) == 4  # tumour and core, measured and decoded


def test_an_unlabelled_subject_shows_the_decoded_contours_only(shown: ShownSubject) -> None:
    figure = reconstruction_figure(replace(shown, measured=None))
    assert len(figure.axes[0].collections) == 2
    assert "unlabelled" in figure.get_suptitle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["tumour and core, decoded"]


def test_slices_go_through_the_tumour(shown: ShownSubject) -> None:
    centre = centre_of_interest(shown)
    assert all(8 <= index < 14 for index in centre)
    nothing = np.zeros_like(shown.decoded)
    blank = replace(shown, measured=None, decoded=nothing, brain=nothing > 0)
    assert centre_of_interest(blank) == (12, 12, 12)


@pytest.mark.parametrize(("axis", "voxel"), [(2, (3, 2, 1)), (1, (3, 1, 2)), (0, (1, 3, 2))])
def test_right_or_front_is_at_the_left_and_up_or_front_at_the_top(axis: int, voxel: tuple[int, int, int]) -> None:
    volume = np.zeros((4, 4, 4))
    volume[voxel] = 1
    row, column = np.argwhere(plane(volume, axis, 1))[0]
    assert (row, column) == (1, 0)


def test_heat_map_quotes_each_pair_with_its_chance_level(results: Results, partition: dict[str, int]) -> None:
    figure = correlation_figure(results.mean, partition, {"vol-loc": 0.123})
    axes = figure.axes[0]
    assert any("(0.12)" in text.get_text() for text in axes.texts)
    assert len(axes.texts) == 6
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "vol\n4/4",
        "loc\n4/4",
        "shape\n4/4",
        "residual\n0/8",
    ]
    assert "n = 40" in axes.get_title(loc="left")


def test_training_curves_take_the_last_value_of_an_epoch(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(HISTORY)
    history = read_history(tmp_path / "metrics.csv")
    assert list(history["train/loss"]) == [3.0, 1.0]
    figure = training_figure(history)
    assert titles(figure)[:2] == ["Objective", "R² on validation"]
    assert len(titles(figure)) == 6


def test_figures_touch_no_global_state(shown: ShownSubject) -> None:
    import matplotlib.pyplot as plt

    reconstruction_figure(shown)
    assert plt.get_fignums() == []


def test_terms_with_one_schedule_are_one_line(tmp_path: Path) -> None:
    rows = [
        "1,weight/kl_vol,0",
        "2,weight/kl_vol,4",
        "1,weight/kl_loc,0",
        "2,weight/kl_loc,2",
        "1,weight/tumour_ce,1",
        "2,weight/tumour_ce,1",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(["epoch,name,value", *rows]))
    axes = training_figure(read_history(tmp_path / "metrics.csv")).axes[5]
    assert {line.get_label() for line in axes.lines} == {"kl", "tumour"}
    assert max(line.get_ydata().max() for line in axes.lines) == 1.0


def test_the_page_shows_the_brain_and_not_the_air(shown: ShownSubject) -> None:
    small = replace(shown, brain=np.zeros_like(shown.brain))
    small.brain[10:14, 8:14, 9:12] = True
    found = cropped(small)
    assert found.brain.shape == (10, 10, 10)
    assert found.brain.sum() == small.brain.sum()
    assert found.image.shape == (4, 10, 10, 10)
    assert cropped(replace(shown, brain=np.zeros_like(shown.brain))).brain.shape == (24, 24, 24)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.01382, "0.0138"), (8702, "8.7k"), (120_000, "120k"), (2e6, "2M"), (989, "989"), (3.83, "3.83")],
)
def test_large_numbers_are_short(value: float, text: str) -> None:
    assert short_number(value) == text
