import shutil
import subprocess
import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from page_reader import PageReader

from semivae_bundle.__main__ import main
from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.coverage import coverage_section
from semivae_bundle.evaluation.figure_training import history_file_of
from semivae_bundle.evaluation.figures import write_figures
from semivae_bundle.evaluation.latent_options import LatentOptions
from semivae_bundle.evaluation.page_context import CONTENTS
from semivae_bundle.evaluation.predictions import predictions_table
from semivae_bundle.evaluation.report import Intervals, metrics_report
from semivae_bundle.evaluation.report_page import anchor, read_metrics, read_predictions, write_report_page
from semivae_bundle.evaluation.results import Results, ShownSubject
from semivae_bundle.evaluation.verdict_targets import VerdictTargets
from semivae_bundle.features.normalizer import Normalizer

ROOT = Path(__file__).parents[2]
INTERVALS = Intervals(level=0.95, resamples=50, permutations=5, seed=0)
LATENT = LatentOptions(neighbours=5, folds=3, trees=5, draws=20, false_discovery_rate=0.05, seed=0)
HISTORY = "epoch,name,value\n1,val_epoch/loss,3\n2,val_epoch/loss,2\n"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PROVENANCE = {
    "package_version": "1.2.3",
    "checkpoint": {"file": "checkpoints/model.pt", "sha256": "f" * 64},
    "trained_here": True,
    "split": "test",
    "split_sha256": "0" * 64,
    "seed": 0,
    "settings": {"partition": {"vol": 4, "loc": 4}},
}


class Evaluation:
    """Writes what an evaluation leaves behind, and reads the page made of it."""

    def __init__(
        self, folder: Path, normalizer: Normalizer, partition: dict[str, int], targets: VerdictTargets
    ) -> None:
        self.folder, self.normalizer, self.partition, self.targets = folder, normalizer, partition, targets

    def write(self, results: Results, shown: list[ShownSubject], *drop: str, **sections: Any) -> None:
        report = metrics_report(results, self.normalizer, self.partition, INTERVALS, PROVENANCE, LATENT, None)
        history = history_file_of(self.folder, PROVENANCE)
        write_figures(self.folder, results, shown, self.normalizer, self.partition, report, history)
        kept = {name: section for name, section in report.items() if name not in drop} | sections
        write_json_atomically(self.folder / "metrics.json", kept)
        predictions_table(results, self.normalizer, self.partition).to_csv(self.folder / "predictions.csv")

    def page(self) -> PageReader:
        return PageReader(write_report_page(self.folder, self.targets).read_text(encoding="utf-8"))


@pytest.fixture
def evaluation(
    tmp_path: Path, normalizer: Normalizer, partition: dict[str, int], targets: VerdictTargets
) -> Evaluation:
    (tmp_path / "metrics.csv").write_text(HISTORY)
    return Evaluation(tmp_path / "evaluation", normalizer, partition, targets)


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
    all_results: Results,
    shown: ShownSubject,
    normalizer: Normalizer,
    partition: dict[str, int],
    targets: VerdictTargets,
    calibration: Calibration,
) -> Evaluation:
    """One with every section: 40 patients, intervals, a picture, curves. Read it only."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "metrics.csv").write_text(HISTORY)
    single, made = (
        replace(all_results, patients=all_results.subjects),
        Evaluation(folder / "e", normalizer, partition, targets),
    )
    section = coverage_section(single, normalizer, calibration, {"split": "test"}, 0.95, 0)
    made.write(single, [shown], coverage=section)
    return made


@pytest.fixture(scope="module")
def page(whole: Evaluation) -> PageReader:
    """The page of `whole`."""
    return whole.page()


def only(results: Results, count: int) -> Results:
    arrays = {name: getattr(results, name)[:count] for name in results.__dataclass_fields__ if name != "scores"}
    return Results(**arrays, scores=results.scores.iloc[:count])


def test_nothing_is_fetched_and_no_script_runs(page: PageReader) -> None:
    assert page.of("script") == page.of("link") == page.of("iframe") == page.of("object") == []
    assert page.loaded
    assert all(address.startswith("data:image/png;base64,") for address in page.loaded)
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)


def test_the_style_fetches_nothing_and_knows_phones_paper_and_the_dark(whole: Evaluation, page: PageReader) -> None:
    text = (whole.folder / "report.html").read_text()
    style = text[text.index("<style>") : text.index("</style>")]
    assert not any(word in style for word in ("url(", "@import", "http"))
    assert all(word in style for word in ("@media print", "prefers-color-scheme: dark", "overflow-x: auto"))
    assert any(meta.get("name") == "viewport" for meta in page.of("meta"))


def test_elements_are_nested_rightly_and_ids_are_unique(whole: Evaluation, page: PageReader) -> None:
    assert page.problems == []
    assert len(page.ids) == len(set(page.ids))
    assert (whole.folder / "report.html").read_text().startswith("<!DOCTYPE html>\n<html lang=")


def test_every_section_is_there_and_every_link_leads_somewhere(page: PageReader) -> None:
    assert {id for id, _ in CONTENTS} <= set(page.ids)
    assert page.links
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)


def test_headings_go_down_one_step_at_a_time(page: PageReader) -> None:
    levels = [int(tag[1]) for tag, _ in page.elements if tag in ("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_pictures_have_texts_and_tables_have_captions_and_headers(page: PageReader) -> None:
    assert all(len(str(image["alt"])) > 20 and image["width"] and image["height"] for image in page.of("img"))
    assert len(page.of("caption")) == len(page.of("table")) > 8
    assert all(header.get("scope") in ("col", "row") for header in page.of("th"))


def test_no_number_is_shown_that_is_none(page: PageReader) -> None:
    assert not any(word in page.text for word in ("nan", "NaN", "None", "inf ", "undefined"))


def test_the_verdicts_and_what_made_them_stand_on_the_page(page: PageReader) -> None:
    verdicts = [
        str(attrs["class"]).split()[1] for tag, attrs in page.elements if tag == "td" and "verdict" in str(attrs)
    ]
    assert len(verdicts) == 12
    assert verdicts[0] == "fail"  # the residual of these results is still
    assert set(verdicts) <= {"pass", "open", "fail", "missing"}
    for word in ("f" * 64, "0" * 64, "1.2.3", "--evaluate_split=test", "--verdict_targets#dice=0.6"):
        assert word in page.text


def test_it_is_small(whole: Evaluation, page: PageReader) -> None:
    assert (whole.folder / "report.html").stat().st_size < 1_500_000


def test_names_of_subjects_are_escaped(evaluation: Evaluation, results: Results, shown: ShownSubject) -> None:
    name = "<script>alert('1')</script> & \"x\""
    names = (name.replace("/", "|"), *results.subjects[1:])  # a file's name has no slash
    renamed = replace(results, subjects=names, scores=results.scores.set_axis(pd.Index(names, name="subject")))
    renamed.predicted[0] += 9
    evaluation.write(renamed, [replace(shown, subject=names[0])])
    page = evaluation.page()
    assert page.of("script") == []
    assert page.problems == []
    assert page.text.count(names[0]) == 2  # its picture and its row
    assert f"#{anchor('reconstruction_' + names[0])}".replace("#", "#figure-") in page.links


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_few_subjects_make_a_page(count: int, evaluation: Evaluation, results: Results) -> None:
    evaluation.write(only(results, count), [])
    page = evaluation.page()
    assert page.problems == []
    assert f"{count} subject" in page.text
    assert "nan" not in page.text
    assert "pass" not in [str(attrs.get("class")).removeprefix("verdict ") for attrs in page.of("td")][:2]


def test_without_labels_the_sections_say_why_they_are_empty(evaluation: Evaluation, results: Results) -> None:
    bare = replace(results, present=np.zeros((40, 3), bool), labelled=np.zeros(40, bool))
    evaluation.write(bare, [])
    page = evaluation.page()
    assert "Of volume, location and shape nothing is known." in page.text
    assert "Not shown: no factor to judge by." in page.text
    assert "Not shown: no labelled subject" in page.text


@pytest.mark.parametrize(
    ("split", "trained_here", "said"), [("train", True, True), ("train", False, False), ("test", True, False)]
)
def test_the_head_says_where_the_network_was_trained_on_these_scans(
    split: str, trained_here: bool, said: bool, evaluation: Evaluation, results: Results
) -> None:
    evaluation.write(results, [], provenance={**PROVENANCE, "split": split, "trained_here": trained_here})
    assert ("The network was trained on these very scans." in evaluation.page().text) is said


def test_a_section_that_is_missing_says_why(evaluation: Evaluation, results: Results) -> None:
    (evaluation.folder.parent / "metrics.csv").unlink()
    evaluation.write(results, [], "disentanglement", "leakage", "latent_intervals")
    (evaluation.folder / "latent_correlation.png").unlink()
    page = evaluation.page()
    for why in (
        "older than this section",
        "no calibration was given",
        "no volumes were kept",
        "weights come from elsewhere",
    ):
        assert why in page.text
    assert "latent_correlation.png is not beside metrics.json" in page.text
    assert page.problems == []


def test_the_coverage_of_the_latent_space_is_shown_with_its_verdict(whole: Evaluation, page: PageReader) -> None:
    section = read_metrics(whole.folder)["coverage_of_latent_space"]
    assert "figure-latent_projection" in page.ids
    for part, words in section["verdict"].items():
        assert f"{part}: {words}." in page.text


def test_a_code_of_few_patients_says_why_its_coverage_is_missing(evaluation: Evaluation, results: Results) -> None:
    evaluation.write(only(results, 5), [])
    assert "Not shown: 3 patients; at least 20 are needed." in evaluation.page().text
    evaluation.write(results, [], "coverage_of_latent_space")
    assert "Not shown: metrics.json is older than this section" in evaluation.page().text


def test_figures_of_other_steps_are_shown_too(evaluation: Evaluation, results: Results) -> None:
    evaluation.write(results, [])
    shutil.copy(evaluation.folder / "latent_correlation.png", evaluation.folder / "traversal_vol_total.png")
    page = evaluation.page()
    assert "figure-traversal_vol_total" in page.ids
    assert "traversal vol total" in page.text


def test_the_same_files_give_the_same_bytes(whole: Evaluation, page: PageReader) -> None:
    before = (whole.folder / "report.html").read_bytes()
    whole.page()
    assert (whole.folder / "report.html").read_bytes() == before


def test_the_command_renders_again_and_takes_other_targets(
    evaluation: Evaluation, results: Results, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluation.write(results, [])
    written = evaluation.folder / "report.html"
    main(["report", str(evaluation.folder)])
    assert f"{written}: written" in capsys.readouterr().out
    assert "≥ 0.60" in written.read_text()
    main(["report", str(evaluation.folder), "--dice", "0.123"])
    assert "≥ 0.12" in written.read_text()


def test_the_command_refuses_a_folder_without_an_evaluation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path)])
    assert "found no such pair; run evaluate first" in capsys.readouterr().err


def test_subjects_may_be_called_what_looks_like_no_value(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("subject,patient,measured_vol_total_mm3\nNA,007,1.5\n007,nan,\n")
    found = read_predictions(tmp_path / "p.csv")
    assert list(found.index) == ["NA", "007"]
    assert list(found["patient"]) == ["007", "nan"]
    assert np.isnan(found["measured_vol_total_mm3"].iloc[1])


def test_anchors_have_no_spaces_and_stay_apart() -> None:
    assert anchor("BraTS-PHM-00012-000") == "BraTS-PHM-00012-000"
    assert anchor("a b") != anchor("a&b")
    assert " " not in anchor("a b")


def test_the_wheel_takes_the_templates_along() -> None:
    globs = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    folder = ROOT / "semivae_bundle" / "evaluation"
    named = {file for glob in globs["semivae_bundle.evaluation"] for file in folder.glob(glob)}
    assert named == {file for file in (folder / "templates").rglob("*") if file.is_file()}
    assert named


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_renders_it(whole: Evaluation, page: PageReader, tmp_path: Path) -> None:
    address, picture = (whole.folder / "report.html").as_uri(), tmp_path / "page.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=400,4000", f"--screenshot={picture}"]
    subprocess.run([str(CHROMIUM), *flags, address], check=True, capture_output=True, timeout=60)
    assert picture.stat().st_size > 10_000
