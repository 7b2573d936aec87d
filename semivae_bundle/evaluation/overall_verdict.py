"""All verdicts in one sentence, and one more for what stands beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from semivae_bundle.evaluation.verdict import OUTCOMES, Outcome, Verdict
from semivae_bundle.evaluation.verdicts import SEMANTIC

NAMES = {"volume_r2": "volume", "location_r2": "location", "shape_r2": "shape"}
SHORT = {
    "residual_active_fraction": "collapse",
    "largest_correlation": "correlation",
    "distance_correlation": "distance correlation",
    "dice": "the drawn tumour",
    "psnr_gain_brain_db": "the drawn brain",
    "psnr_gain_tumour_db": "the image of the tumour",
    "coverage_shortfall": "coverage",
    "leakage_excess": "leakage",
    "validation_loss_given_back": "the validation loss",
}


def overall_sentence(verdicts: Sequence[Verdict]) -> str:
    """Which of volume, location and shape a growth model can use, in plain words."""
    found = {verdict.check: verdict for verdict in verdicts if verdict.check in SEMANTIC}
    clauses = []
    if good := _of(found, "pass"):
        clauses.append(f"{_listed(good)} can be modelled")
    if bad := _of(found, "fail"):
        clauses.append(f"{_listed(bad)} cannot yet ({_numbers(found, bad)})")
    if open_ones := _of(found, "open"):
        clauses.append(f"{_listed(open_ones)} may be: these subjects cannot tell ({_numbers(found, open_ones)})")
    if absent := _of(found, "missing"):
        clauses.append(f"of {_listed(absent)} nothing is known")
    text = "; ".join(clauses) + "."
    return text[:1].upper() + text[1:]


def other_checks(verdicts: Sequence[Verdict]) -> str:
    """How the checks beside volume, location and shape came out."""
    words = {"pass": "passed", "open": "open", "fail": "failed", "missing": "not made"}
    clauses = []
    for outcome in OUTCOMES:
        names = [SHORT[v.check] for v in verdicts if v.check in SHORT and v.outcome == outcome]
        if names:
            clauses.append(f"{words[outcome]}: {', '.join(names)}")
    return "Of the other checks " + "; ".join(clauses) + "." if clauses else ""


def _of(found: Mapping[str, Verdict], outcome: Outcome) -> list[str]:
    return [check for check in SEMANTIC if check in found and found[check].outcome == outcome]


def _listed(checks: Sequence[str]) -> str:
    names = [NAMES[check] for check in checks]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _numbers(found: Mapping[str, Verdict], checks: Sequence[str]) -> str:
    said = []
    for check in checks:
        of, target = found[check].found, found[check].target
        name = f"{NAMES[check]}: " if len(checks) > 1 else ""
        interval = "without an interval" if of.low is None else f"interval {of.low:.2f} to {of.high:.2f}"
        said.append(f"{name}mean R² {of.value:.2f}, {interval}, aimed at {target:.2f}")
    return "; ".join(said)
