from dataclasses import asdict

import numpy as np
import pytest
from sklearn.covariance import LedoitWolf

from semivae_bundle.evaluation.conformal import TooFewScans
from semivae_bundle.evaluation.novelty import DISTANCE, NoveltyGate, mahalanobis
from semivae_bundle.evaluation.novelty_fitting import fewest_for_gate, fit_novelty_gate, held_out_distances
from semivae_bundle.evaluation.plain_json import plain

LATENT = 30


def scans(n: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Latent means with more dimensions than the half of 50 scans, and two skewed scores that go together."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(n, LATENT)) * np.linspace(0.1, 2, LATENT)
    error = np.exp(0.2 * rng.standard_t(4, size=n))
    return means, {"reconstruction_error": error, "kl": 40 * error * rng.uniform(0.9, 1.1, n)}


def a_gate(n: int, seed: int, rate: float = 0.05) -> NoveltyGate:
    means, scores = scans(n, seed)
    return fit_novelty_gate(means, scores, [str(i) for i in range(n)], false_alarm_rate=rate, seed=seed)


@pytest.mark.parametrize(("n", "rate"), [(50, 0.05), (300, 0.05), (60, 0.2)])
def test_false_alarms_on_exchangeable_scans_are_as_rare_as_stated(n: int, rate: float) -> None:
    alarms = []
    for seed in range(150):
        gate = a_gate(n, seed, rate)
        means, scores = scans(20, 10_000 + seed)
        alarms += [
            not gate.judge(means[i], {name: float(value[i]) for name, value in scores.items()}).in_distribution
            for i in range(20)
        ]
    # Alarms of one gate go together: the spread of their mean is that of 150 gates, not of 3000 scans.
    spread = 3 * np.sqrt(rate * (1 - rate) * (1 / 3000 + 1 / (150 * n / 2)))
    assert rate - 2 / (n / 2) - spread < np.mean(alarms) < rate + spread


def test_the_reason_names_the_score_its_limit_and_by_how_much() -> None:
    gate = a_gate(300, 0)
    usual = {"reconstruction_error": 1.0, "kl": 40.0}
    verdict = gate.judge(np.zeros(LATENT) + 0.3, {**usual, "kl": 4000.0})
    assert not verdict.in_distribution
    assert verdict.p_value <= gate.false_alarm_rate
    assert verdict.reason.startswith("kl 4000 is above its upper limit ")
    assert "reconstruction_error" not in verdict.reason
    assert "kl 0.4 is below its lower limit" in gate.judge(np.zeros(LATENT) + 0.3, {**usual, "kl": 0.4}).reason


def test_a_far_code_is_told_by_its_distance() -> None:
    verdict = a_gate(300, 0).judge(np.full(LATENT, 9.0), {"reconstruction_error": 1.0, "kl": 40.0})
    assert verdict.reason.startswith(f"{DISTANCE} ")


def test_a_usual_scan_has_no_reason() -> None:
    means, scores = scans(300, 7)
    gate = a_gate(300, 0)
    verdicts = [gate.judge(means[i], {name: float(value[i]) for name, value in scores.items()}) for i in range(300)]
    assert all(one.in_distribution == (one.reason == "") for one in verdicts)
    assert all(one.in_distribution == (one.p_value > 0.05) for one in verdicts)


def test_too_few_patients_are_refused_however_many_scans() -> None:
    assert fewest_for_gate(0.05) == 38
    means, scores = scans(60, 0)
    patients = [str(i % 37) for i in range(60)]
    with pytest.raises(TooFewScans, match=r"at least 38 patients for a false-alarm rate of 0.05, found 37"):
        fit_novelty_gate(means, scores, patients, false_alarm_rate=0.05, seed=0)


def test_the_distance_is_that_of_the_library() -> None:
    means, _ = scans(80, 1)
    fit = LedoitWolf().fit(means)
    expected = np.sqrt(fit.mahalanobis(means))
    np.testing.assert_allclose(mahalanobis(means, fit.location_, fit.covariance_), expected)


def test_distances_are_those_of_scans_that_were_not_fitted_on() -> None:
    means, _ = scans(25, 2)
    fit = LedoitWolf().fit(means)
    assert held_out_distances(means).mean() > 1.2 * mahalanobis(means, fit.location_, fit.covariance_).mean()


def test_a_score_that_varies_in_few_scans_does_not_drown_the_others() -> None:
    means, scores = scans(60, 3)
    flat = np.where(np.arange(60) % 6 == 0, 1.1, 1.0)
    gate = fit_novelty_gate(means, {**scores, "flat": flat}, [str(i) for i in range(60)], false_alarm_rate=0.05, seed=0)
    assert gate.limit < 10
    usual = {"reconstruction_error": 1.0, "kl": 40.0}
    assert "flat" not in gate.judge(means[0], {**usual, "flat": 1.005}).reason
    assert gate.judge(means[0], {**usual, "flat": 2.0}).reason.startswith("flat 2 is above")


def with_profiles(n: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """As `scans`, and a profile of each kind."""
    rng = np.random.default_rng([seed, 1])
    return *scans(n, seed), {"grain_distance": rng.normal(size=(n, 12)), "channel_doubt": rng.normal(size=(n, 48))}


def test_false_alarms_stay_as_rare_with_profiles() -> None:
    alarms = []
    for seed in range(40):
        fitted = with_profiles(60, seed)
        patients = [str(i) for i in range(60)]
        gate = fit_novelty_gate(*fitted[:2], patients, false_alarm_rate=0.1, seed=seed, profiles=fitted[2])
        means, scores, profiles = with_profiles(20, 10_000 + seed)
        for i in range(20):
            one, two = ({name: value[i] for name, value in part.items()} for part in (scores, profiles))
            alarms.append(not gate.judge(means[i], one, two).in_distribution)
    assert 0.1 - 2 / 30 - 0.05 < np.mean(alarms) < 0.1 + 0.05


def test_a_strange_profile_is_named_and_survives_plain_numbers() -> None:
    means, scores, profiles = with_profiles(80, 0)
    patients = [str(i) for i in range(80)]
    gate = fit_novelty_gate(means, scores, patients, false_alarm_rate=0.05, seed=0, profiles=profiles)
    strange = {"grain_distance": np.full(12, 9.0), "channel_doubt": profiles["channel_doubt"][0]}
    read = NoveltyGate.from_plain(plain(asdict(gate)))
    verdict = read.judge(np.zeros(LATENT), {"reconstruction_error": 1.0, "kl": 40.0}, strange)
    assert verdict.reason.startswith("grain_distance ")
    assert list(verdict.scores)[:3] == [DISTANCE, "grain_distance", "channel_doubt"]


def test_a_gate_from_before_there_were_profiles_judges_as_it_did() -> None:
    old = plain(asdict(a_gate(300, 0)))
    del old["profiles"]
    old["scales"] = [{key: scale[key] for key in ("name", "centre", "spread")} for scale in old["scales"]]
    read, (means, scores) = NoveltyGate.from_plain(old), scans(2, 9)
    verdict = read.judge(means[0], {**{name: float(value[0]) for name, value in scores.items()}, "tumour_doubt": 1.0})
    distance = (np.log(verdict.scores["kl"]) - read.scales[2].centre) / read.scales[2].spread
    assert verdict.strangeness >= abs(distance)
    assert "tumour_doubt" not in verdict.scores


def test_each_side_of_a_skewed_score_has_its_own_spread() -> None:
    means, scores = scans(400, 4)
    skewed = np.exp(np.random.default_rng(0).exponential(size=400))
    patients = [str(i) for i in range(400)]
    gate = fit_novelty_gate(means, {**scores, "skewed": skewed}, patients, false_alarm_rate=0.05, seed=0)
    scale = next(one for one in gate.scales if one.name == "skewed")
    # Of an exponential: ln 2 - ln (20 / 19) below the median, ln 20 - ln 2 above.
    assert scale.spread_of(1) / scale.spread_of(-1) == pytest.approx(np.log(10) / np.log(38 / 20), rel=0.25)
