"""What a cohort of phantoms is made with, and the record of it in the cohort's folder."""

import math
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path

from semivae_bundle import __version__
from semivae_bundle.data.files import read_record, write_json_atomically
from semivae_bundle.data.phantom.contrast import STYLES
from semivae_bundle.data.wording import listed, not_whole, shown

SCHEMA = "semivae-phantoms/1"
RECORDED = "the settings of the phantoms beside it as JSON"
# Goes up with every change that makes other images from the same seed.
GENERATOR = 1


@dataclass(frozen=True)
class Settings:
    """What a subject depends on besides its number; recorded in phantom.json."""

    size: int
    spacing: float
    seed: int
    contrast: str
    unlabelled: float
    missing_modality: float
    visits: int

    def __post_init__(self) -> None:
        problems = [not_whole(name, getattr(self, name)) for name in ("size", "seed", "visits")]
        for name in ("spacing", "unlabelled", "missing_modality"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(float(value)):
                problems.append(f"{name}: expected a number, found {shown(value)}")
            else:
                object.__setattr__(self, name, float(value))  # phantom.json has 5.0, whether 5 was asked for or 5.0
        if problems := list(filter(None, problems)):
            raise ValueError("phantoms: " + "; ".join(problems))
        if self.size < 16:
            problems.append(f"size: expected at least 16 voxels, found {self.size}")
        if not self.spacing > 0:
            problems.append(f"spacing: expected a positive number of mm, found {self.spacing}")
        elif self.size * self.spacing < 200:
            problems.append(
                f"size x spacing: expected at least 200 mm, to hold a brain, found {self.size * self.spacing:g}; "
                f"for {self.size} voxels take --spacing {240 / self.size:g}"
            )
        if self.contrast not in STYLES:
            problems.append(f"contrast: expected one of {', '.join(STYLES)}, found {self.contrast!r}")
        for name, share in (("unlabelled", self.unlabelled), ("missing_modality", self.missing_modality)):
            if not 0 <= share <= 1:
                problems.append(f"{name}: expected a share between 0 and 1, found {share}")
        if self.visits < 1:
            problems.append(f"visits: expected at least 1, found {self.visits}")
        if self.seed < 0:
            problems.append(f"seed: expected 0 or more, found {self.seed}")
        if problems:
            raise ValueError("phantoms: " + "; ".join(problems))


def refuse_folder_of_others(folder: Path) -> None:
    """ValueError for a folder of anything but phantoms: among a person's own scans they would be taken for patients."""
    if (folder / "phantom.json").exists() or not folder.is_dir():
        return
    if others := sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")):
        raise ValueError(
            f"phantoms: {folder}: expected an empty folder or a cohort of phantoms, found {listed(others)}; "
            "give them a folder of their own"
        )


def claim_folder(folder: Path, settings: Settings, n: int) -> None:
    """Record the settings in phantom.json, or check them against those recorded there; `n` may only grow."""
    record = folder / "phantom.json"
    new = {"schema": SCHEMA, "generator": GENERATOR, **asdict(settings)}
    earlier: list[str] = []
    if record.exists():
        old = read_record(record, "give another folder, or remove this one", RECORDED)
        differ = [
            f"{key}: {old.get(key)!r} there, {value!r} now" for key, value in new.items() if old.get(key) != value
        ]
        if n < old.get("n", 0):
            differ.append(f"n: {old['n']} there, {n} now")
        if differ:
            raise ValueError(
                f"phantoms: {folder} holds a cohort made with other settings ({'; '.join(differ)}); "
                "give another folder, remove this one, or ask for the same settings (n may grow)"
            )
        made_with = [*old.get("earlier_package_versions", []), old.get("package_version", __version__)]
        earlier = [version for version in dict.fromkeys(made_with) if version != __version__]
    versions = {"package_version": __version__, **({"earlier_package_versions": earlier} if earlier else {})}
    write_json_atomically(record, {**new, "n": n, **versions})
