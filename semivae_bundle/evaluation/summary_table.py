"""metrics.json -> aligned text for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.features.schema import REGION_LABELS


def summary_table(report: Mapping[str, Any]) -> str:
    """The main figures in short blocks. `report` is the content of metrics.json."""
    subjects, intervals, source = report["subjects"], report["intervals"], report["provenance"]
    head = (
        f"{source['split']}: {subjects['evaluated']} subjects of {subjects['patients']} patients, "
        f"{subjects['labelled']} labelled; in brackets {intervals['level']:.0%} intervals ({intervals['method']})"
    )
    code = (_partitions(report), _independence(report), _latent_coverage(report["coverage_of_latent_space"]))
    blocks = (_features(report), *code, _image(report), *_maps(report["tumour_map"]))
    coverage = [_coverage(report["coverage"])] if "coverage" in report else []
    return "\n\n".join([head, *blocks, *coverage])


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells -> lines whose columns line up; the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def number(value: float | None, digits: str = ".3f") -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else format(value, digits)


def _with_interval(estimate: Mapping[str, Any], digits: str = ".2f") -> str:
    low, high = estimate["low"], estimate["high"]
    interval = "" if low is None else f" [{number(low, digits)}, {number(high, digits)}]"
    return number(estimate["value"], digits) + interval


def _features(report: Mapping[str, Any]) -> str:
    rows = [["feature", "n", "R²", "Pearson", "MAE", "unit"]]
    for column, figures in report["features"].items():
        mae = figures["mae"]
        rows.append(
            [
                column + ("*" if figures["residualised_on"] else ""),
                str(figures["subjects"]),
                _with_interval(figures["r2"]),
                _with_interval(figures["pearson"]),
                number(mae["value"], ".4g"),
                "" if mae["unit"] == "1" else mae["unit"],
            ]
        )
    rows.append(["mean of partitions", "", _with_interval(report["mean_r2"]), "", "", ""])
    regressors = dict.fromkeys(f["residualised_on"] for f in report["features"].values() if f["residualised_on"])
    note = f"\n* R² and Pearson of what is left after the regression on {', '.join(regressors)}" if regressors else ""
    return aligned(rows) + note


def _partitions(report: Mapping[str, Any]) -> str:
    rows = [["partition", "mean R²", "active units", "fraction", "KL [nats]"]]
    for name, part in report["partitions"].items():
        r2 = "-" if part["mean_r2"] is None else _with_interval(part["mean_r2"])
        active = f"{part['active_units']} of {part['dimensions']}"
        rows.append([name, r2, active, number(part["active_fraction"], ".2f"), number(part["kl_nats"], ".1f")])
    return aligned(rows)


def _independence(report: Mapping[str, Any]) -> str:
    rows = [["partitions", "max |r|", "chance", "distance correlation", "p"]]
    names = {"max_abs_correlation": ".2f", "chance_level": ".2f", "distance_correlation": ".2f", "p_value": ".3f"}
    for pair, figures in report["independence"]["pairs"].items():
        rows.append([pair, *(number(figures[name], digits) for name, digits in names.items())])
    return aligned(rows)


def _image(report: Mapping[str, Any]) -> str:
    rows = [["image", "PSNR brain [dB]", "gain", "SSIM brain", "MS-SSIM", "PSNR tumour [dB]", "gain", "SSIM tumour"]]
    rows[0].append("sharpness tumour")
    names = ["psnr_brain_db", "psnr_gain_brain_db", "ssim_brain", "ms_ssim_brain"]
    names += ["psnr_tumour_db", "psnr_gain_tumour_db", "ssim_tumour", "sharpness_tumour"]
    for modality in MODALITIES:
        figures = report["image"][modality]
        rows.append([modality, *(number(figures[name]["value"], ".2f") for name in names)])
    return aligned(rows)


def _maps(section: Mapping[str, Any]) -> list[str]:
    return [_tumour(section, "decoded map"), _tumour(section["segmentation"], "segmentation")]


def _tumour(section: Mapping[str, Any], title: str) -> str:
    rows = [[title, "n", "Dice", "R² ln volume", "mean ln ratio", "MAE [mm3]"]]
    for region in REGION_LABELS:
        dice, volume = section["dice"][region], section["volume"][region]
        figures = [_with_interval(dice), _with_interval(volume["r2_ln"])]
        rest = [number(volume["mean_ln_ratio"]["value"], "+.2f"), number(volume["mae_mm3"]["value"], ".4g")]
        rows.append([region, str(dice["subjects"]), *figures, *rest])
    return aligned(rows)


def _latent_coverage(section: Mapping[str, Any]) -> str:
    if "missing" in section:
        return f"coverage of the latent space: {section['missing']}"
    lines = [f"{name}: {words}" for name, words in section["verdict"].items()]
    return "\n  ".join(["coverage of the latent space (samples of the aggregate posterior against the prior)", *lines])


def _coverage(coverage: Mapping[str, Any]) -> str:
    thirds = [f"{name} third" for name in next(iter(coverage["features"].values()))["tertiles"]]
    rows = [[f"{coverage['level']:.0%} interval", "n", "coverage", "expected", *thirds, "mean width", "unit"]]
    for column, figures in coverage["features"].items():
        expected = figures["expected"]
        range_of = "-" if expected is None else f"[{number(expected[0], '.2f')}, {number(expected[1], '.2f')}]"
        by_third = [number(third["coverage"], ".2f") for third in figures["tertiles"].values()]
        wide = figures["mean_width"]
        width = [number(wide["value"], ".3g"), "" if wide["unit"] == "1" else wide["unit"]]
        rows.append(
            [
                column,
                str(figures["scans"]),
                _with_interval({**figures, "value": figures["coverage"]}),
                range_of,
                *by_third,
                *width,
            ]
        )
    if coverage["independent"]:
        return aligned(rows)
    return aligned(rows) + "\nthese very scans were calibrated on, so this coverage is no evidence"
