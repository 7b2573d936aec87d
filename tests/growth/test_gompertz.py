"""Curves through volumes whose answer is known."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_inference import DAYS, curves_of, volumes_of
from scipy.integrate import solve_ivp

from semivae_bundle import __version__
from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.growth.curves import compared, read_truth, write_growth_curves
from semivae_bundle.growth.gompertz import CURVE, fit_gompertz, gompertz
from semivae_bundle.growth.visits import read_visits

PRIORS = {"log_rate": (0.0, 0.5), "log_capacity": (12.3, 0.3)}


@pytest.fixture(scope="module")
def fitted(inference: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """growth.csv, by patient."""
    write_growth_curves(inference, inference / "out", **PRIORS, factors=None, keep_novel=False)
    return pd.read_csv(inference / "out" / "growth.csv", dtype={"patient": str}).set_index("patient")


def test_the_curve_solves_the_equation_of_gompertz() -> None:
    rate, capacity = 1.3, 2e5
    solved = solve_ivp(lambda _, v: rate * v * np.log(capacity / v), (0, 2), [1e4], t_eval=[0.5, 2.0], rtol=1e-8)
    expected = np.exp(gompertz([0.5, 2.0], np.log(1e4), np.log(rate), np.log(capacity)))
    np.testing.assert_allclose(solved.y[0], expected, rtol=1e-5)


def test_the_curve_of_each_patient_is_found_again(fitted: pd.DataFrame, truth: pd.DataFrame, inference: Path) -> None:
    error = np.log(fitted[CURVE] / truth)
    assert error["start_mm3"].abs().max() < 0.03
    assert error[["rate_per_year", "capacity_mm3"]].abs().median().max() < 0.1
    assert (fitted["largest_misfit_sd"] < 1).all()
    assert (fitted["visits"] == 4).all()
    dates = read_visits(inference).groupby("patient")["date"]
    assert fitted["start_date"].to_dict() == dates.min().to_dict()
    assert fitted["last_date"].to_dict() == dates.max().to_dict()
    assert (inference / "out" / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_spread_says_how_far_off_a_curve_is() -> None:
    truth = curves_of(300)
    volumes = volumes_of(truth)
    noise = np.random.default_rng(1).normal(0, 0.1, len(volumes))
    visits = pd.DataFrame(
        {
            "patient": volumes["patient"],
            "years": np.tile(np.array(DAYS) / 365.25, 300),
            "ln_volume": np.log(volumes["mm3"]) + noise,
            "ln_volume_sd": 0.1,
        }
    )
    fits = {patient: fit_gompertz(own, **PRIORS) for patient, own in visits.groupby("patient")}
    within = compared(pd.DataFrame(fits).T, truth)["within 1.645 sd"]
    assert (within > 0.85).all()
    assert (within < 0.97).all()


def test_two_visits_leave_most_to_the_prior(inference: Path) -> None:
    visits = read_visits(inference)
    one = fit_gompertz(visits[visits["patient"] == "00000"].head(2), **PRIORS)
    assert 0.2 < one["capacity_mm3_log_sd"] < 0.3


def test_a_tumour_that_shrank_is_fitted_at_the_better_minimum() -> None:
    volumes = np.log([1e5, 2e4, 1.5e4])
    own = pd.DataFrame({"years": [0.0, 0.3, 0.8], "ln_volume": volumes, "ln_volume_sd": 0.1})
    found = fit_gompertz(own, **PRIORS)
    assert abs(np.log(found["start_mm3"]) - volumes[0]) < 0.6


def test_a_fast_drop_is_fitted_at_the_better_minimum() -> None:
    own = pd.DataFrame({"years": [0.0, 0.2], "ln_volume": np.log([80800.0, 27100.0]), "ln_volume_sd": 0.1})
    assert fit_gompertz(own, **PRIORS)["largest_misfit_sd"] < 3


def test_the_doubling_time_is_that_of_the_curve_at_the_last_visit(fitted: pd.DataFrame) -> None:
    curve = fitted.iloc[0]
    step = 1e-4
    logs = np.log(curve[CURVE].to_numpy(float))
    now, later = gompertz([DAYS[-1] / 365.25, DAYS[-1] / 365.25 + step], *logs)
    assert curve["doubling_years"] == pytest.approx(np.log(2) * step / (later - now), rel=1e-3)


def test_a_tumour_that_shrinks_has_no_doubling_time() -> None:
    own = pd.DataFrame({"years": [0.0, 0.3], "ln_volume": np.log([1e5, 2e4]), "ln_volume_sd": 0.1})
    assert np.isnan(fit_gompertz(own, **PRIORS)["doubling_years"])


def test_volumes_that_go_up_and_down_stand_out() -> None:
    own = pd.DataFrame({"years": [0.0, 0.3, 0.8], "ln_volume": np.log([2e4, 1e5, 1.5e4]), "ln_volume_sd": 0.1})
    assert fit_gompertz(own, **PRIORS)["largest_misfit_sd"] > 3


def test_phantoms_are_compared_with_what_they_grew_by(
    inference: Path, truth: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes = volumes_of(truth)
    factors = volumes[["subject"]].assign(patient="00000", ln_volume=np.log(volumes["mm3"]))
    curves = truth.loc[volumes["patient"]]
    factors["growth_per_year"] = curves["rate_per_year"].to_numpy()
    factors["capacity_mm3"] = curves["capacity_mm3"].to_numpy()
    file = tmp_path / "factors.csv"
    factors.to_csv(file, index=False)
    pd.testing.assert_frame_equal(read_truth(file, read_visits(inference)), truth, check_names=False)
    write_growth_curves(inference, tmp_path / "out", **PRIORS, factors=file, keep_novel=False)
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.split()}
    assert float(rows["start_mm3"][0]) > 0.99
    assert float(rows["rate_per_year"][0]) > 0.95
    factors.assign(date=volumes["date"]).to_csv(file, index=False)
    pd.testing.assert_frame_equal(read_truth(file, read_visits(inference)), truth, check_names=False)
    factors.assign(date="2019-07-07").to_csv(file, index=False)
    with pytest.raises(ValueError, match=r"on other dates: 00000-0 on 2019-07-07 there, on 2020-01-01 here; give the"):
        read_truth(file, read_visits(inference))
    factors[4:].to_csv(file, index=False)
    with pytest.raises(ValueError, match=r"expected the factors of all patients, found none of 00000"):
        read_truth(file, read_visits(inference))


def test_what_made_the_curves_is_written_beside_them(
    inference: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_growth_curves(
        inference, tmp_path, log_rate=[0.1, 0.4], log_capacity=(12.3, 0.3), factors=None, keep_novel=False
    )
    record = json.loads((tmp_path / "growth.json").read_text())
    assert record["priors"] == {"log_rate": [0.1, 0.4], "log_capacity": [12.3, 0.3]}
    assert record["inputs"]["features.csv"] == sha256_of_file(inference / "features.csv")
    assert set(record["inputs"]) == {"features.csv", "latents.csv", "run.json"}
    assert record["package_version"] == __version__
    assert (record["patients"], record["scans"], record["left_out"]) == (30, 30 * len(DAYS), {})
    assert record["without_interval"] == []
    said = capsys.readouterr().out
    assert (
        "priors: ln(a), a per year, 0.1 ± 0.4; ln(K), K in mm³, 12.3 ± 0.3. The phantoms' are taken for --log_cap"
        in said
    )


def test_what_was_left_out_is_recorded_by_its_reason(changed: Callable[..., Path], tmp_path: Path) -> None:
    folder = changed(mm3=[0.0, *[5e4] * 11])
    write_growth_curves(folder, tmp_path / "out", **PRIORS, factors=None, keep_novel=True)
    record = json.loads((tmp_path / "out" / "growth.json").read_text())
    assert record["left_out"] == {"without a tumour": ["00000-0"]}
    assert record["keep_novel"] is True


def test_factors_without_their_columns_are_told(inference: Path) -> None:
    with pytest.raises(ValueError, match=r"factors\.csv of a phantom cohort, found no ln_volume, growth_per_year, cap"):
        read_truth(inference / "features.csv", read_visits(inference))


@pytest.mark.parametrize("prior", [0.5, [0.0], [0.0, 0.0], [float("nan"), 1.0], ["a", "b"], "abc", True])
def test_a_prior_that_is_no_mean_and_deviation_is_refused(prior, inference: Path, tmp_path: Path) -> None:
    priors = {**PRIORS, "log_rate": prior}
    with pytest.raises(ValueError, match="log_rate: expected a mean and a standard deviation above 0"):
        write_growth_curves(inference, tmp_path, **priors, factors=None, keep_novel=False)


def test_factors_that_are_not_there_are_told(inference: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"factors: expected the factors\.csv"):
        write_growth_curves(inference, tmp_path, **PRIORS, factors=tmp_path / "none.csv", keep_novel=False)
