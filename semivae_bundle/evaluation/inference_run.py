"""Where an inference run keeps its results, which scans are done, and with which weights."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import monai
import torch
from torch import nn

from semivae_bundle import __version__
from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.data.locks import locked
from semivae_bundle.data.wording import listed
from semivae_bundle.evaluation.calibration import Calibration
from semivae_bundle.evaluation.export_tables import TURNED_AWAY, VERDICT, GrowingTable
from semivae_bundle.evaluation.inference_folder import (
    identity,
    refuse_folder_of_a_training,
    refuse_folder_of_the_scans,
    refuse_other_results,
    refuse_unrecorded,
)
from semivae_bundle.evaluation.inference_scans import FoundScans, Scan
from semivae_bundle.evaluation.prerequisites import require_checkpoint
from semivae_bundle.evaluation.provenance import checkpoint_record
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.settings import settings_of
from semivae_bundle.training.weights_record import require_made_of, require_trained_with

SCHEMA = "semivae-inference/5"
# Key of the post-processed output -> how its file is called.
VOLUMES = {"pred": "tumour", "decoded": "decoded", "reconstruction": "reconstruction"}


class InferenceRun:
    """The folder `output_dir`: latents.csv, features.csv, run.json and one folder per subject; novelty.csv with a gate.

    A scan is done when run.json lists it with the same source files and its rows and files are there. run.json is
    written last, so an interrupted run repeats at most one scan. Results of other weights, normalizer, calibration,
    settings or package version are never continued: they are refused, and with `overwrite` deleted and done again, and
    so are files that no run.json accounts for. `dataset_dir`: where the scans lie, and no results may. `settings`:
    plain values that change results. `calibration`: what bounds and verdicts come from, None to go without.
    `attention`: keys attention_<partition> of the output that are written as well. `network`: what the weights are
    those of; a network of another make that they fit as well gives other results. The folder is locked as long as the
    run lives. Raises at construction, before any scan is read, where another has it, where something in it would be
    lost, or where the checkpoint is missing or was trained with another normalizer or other options of the network.
    """

    def __init__(
        self,
        output_dir: str | Path,
        dataset_dir: str | Path,
        checkpoint: str | Path,
        normalizer_file: str | Path,
        settings: Mapping[str, Any],
        overwrite: bool,
        save_reconstruction: bool,
        network: nn.Module,
        calibration: Calibration | None = None,
        attention: Sequence[str] = (),
    ) -> None:
        self.output_dir = Path(output_dir)
        refuse_folder_of_a_training(self.output_dir)
        refuse_folder_of_the_scans(self.output_dir, dataset_dir)
        self.lock = locked(self.output_dir, "inference")
        self.overwrite = overwrite
        self.save_reconstruction = save_reconstruction
        self.attention = tuple(attention)
        require_trained_with(require_checkpoint(checkpoint), Normalizer.from_json(normalizer_file))
        require_made_of(checkpoint, network)
        self.made_by = made_by(Path(checkpoint), Path(normalizer_file), network, settings, calibration)
        earlier = self._read()
        self.may_replace = overwrite or (self.output_dir / "run.json").is_file()
        if not overwrite:
            refuse_other_results(self.output_dir, earlier, self.made_by)
        same = identity(earlier) == identity(self.made_by)
        self.replaced = [] if same else [file for one in earlier.get("subjects", {}).values() for file in one["files"]]
        self.subjects: dict[str, dict[str, Any]] = dict(earlier["subjects"]) if same else {}
        self.latents = GrowingTable(self.output_dir / "latents.csv", resume=same)
        self.features = GrowingTable(self.output_dir / "features.csv", resume=same)
        self.novelty = GrowingTable(self.output_dir / "novelty.csv", resume=same)
        if not self.may_replace:
            refuse_unrecorded(table.file for table in (self.latents, self.features, self.novelty))
        self.has_gate = calibration is not None and calibration.novelty is not None
        self.scans: dict[str, Scan] = {}
        self.found = FoundScans(())

    def pending(self, found: FoundScans) -> list[dict[str, Any]]:
        """Items for the scans that are not done, and a line that says how many are."""
        self.found = found
        self.scans = {scan.subject.subject: scan for scan in found.scans}
        done = {name: scan for name, scan in self.scans.items() if not self.overwrite and self.is_done(scan)}
        left = [scan for scan in found.scans if scan.subject.subject not in done]
        if not self.may_replace:
            refuse_unrecorded(file for name in self.scans for file in self.volumes_of(name))
        if self.replaced:
            print(f"{self.output_dir}: holds results of other weights or settings, which this run replaces")
        self.correct(done)
        if others := sorted(set(self.subjects) - set(self.scans)):
            print(f"{self.output_dir}: {len(others)} scans of other runs stay in its tables: {listed(others)}")
        print(f"{self.output_dir}: {len(done)} scans done before, {len(left)} to do", flush=True)
        if not left:
            print("nothing to do; pass --overwrite true to do it again", flush=True)
            self.write()  # what was skipped or warned of this time
        return [scan.item() for scan in left]

    def correct(self, done: Mapping[str, Scan]) -> None:
        """Take over patients, visits and dates of scans that are done, as a manifest may have come or changed since."""
        tables = self.tables()
        changed = [name for name, scan in done.items() if any([table.correct(name, who(scan)) for table in tables])]
        if changed:
            for table in tables:
                table.write()
            print(f"{self.output_dir}: {len(changed)} scans done before have another patient, visit or date now")

    def begin(self) -> None:
        """Say in run.json whose results these are, before the first of them is there.

        Tables that are not continued and volumes of other weights go first: after an interruption they would pass for
        results of this run.
        """
        for name in self.replaced:
            (self.output_dir / name).unlink(missing_ok=True)
        for table in (self.latents, self.features, self.novelty):
            if not table.rows:
                table.file.unlink(missing_ok=True)
        self.write()

    def is_done(self, scan: Scan) -> bool:
        """Whether everything asked for is there and belongs to this very scan."""
        name = scan.subject.subject
        rows = all(name in table for table in self.tables())
        files = all(file.is_file() and file.stat().st_size > 0 for file in self.volume_files(name).values())
        return rows and files and self.subjects.get(name, {}).get("source") == dict(scan.source)

    def tables(self) -> list[GrowingTable]:
        """The tables that every scan has a row in."""
        return [self.latents, self.features, *([self.novelty] if self.has_gate else [])]

    def volume_files(self, subject: str) -> dict[str, Path]:
        """Output key -> file, for what this run writes in the scan's grid."""
        wanted = VOLUMES if self.save_reconstruction else {"pred": VOLUMES["pred"]}
        wanted = wanted | {key: key for key in self.attention}
        return {key: self.output_dir / subject / f"{subject}_{name}.nii.gz" for key, name in wanted.items()}

    def volumes_of(self, subject: str) -> list[Path]:
        """The volumes that are there under the names of this or any other run."""
        names = (*VOLUMES.values(), "attention_*")
        folder, start = self.output_dir / subject, glob.escape(subject)
        return [file for name in names for file in sorted(folder.glob(f"{start}_{name}.nii.gz"))]

    def turned_away(self) -> list[str]:
        """The scans of novelty.csv, of this run and of earlier ones, to which the gate says no."""
        table = self.novelty
        return [name for name, row in table.rows.items() if row[table.columns.index(VERDICT)] == TURNED_AWAY]

    def complete(
        self,
        subject: str,
        latents: Mapping[str, float],
        features: Mapping[str, str | float],
        novelty: Mapping[str, str | float] | None = None,
    ) -> None:
        """Enter one scan, whose files are complete, in the tables and then in run.json."""
        scan = self.scans[subject]
        keys = {**who(scan), "modalities": scan.modalities}
        if novelty is not None:
            self.novelty.put(subject, {**keys, **novelty})
            keys[VERDICT] = str(novelty[VERDICT])
        self.latents.put(subject, {**keys, **latents})
        self.features.put(subject, {**keys, **features})
        files = [file.relative_to(self.output_dir).as_posix() for file in self.volume_files(subject).values()]
        for stale in self.volumes_of(subject):
            # A volume that an earlier run wrote and this one doesn't would belong to other weights or another scan.
            if stale.relative_to(self.output_dir).as_posix() not in files:
                stale.unlink(missing_ok=True)
        self.subjects[subject] = {"source": dict(scan.source), "files": files}
        self.write()

    def write(self) -> None:
        """Write run.json."""
        content = {
            **self.made_by,
            "monai_version": monai.__version__,
            "torch_version": torch.__version__,
            "subjects": dict(sorted(self.subjects.items())),
            "skipped": [entry.to_dict() for entry in self.found.skipped],
            "warnings": [problem.to_dict() for problem in self.found.warnings],
        }
        write_json_atomically(self.output_dir / "run.json", content)

    def _read(self) -> dict[str, Any]:
        """What an earlier run left; empty where there is none, or where it is to be overwritten and cannot be read."""
        file = self.output_dir / "run.json"
        if not file.is_file():
            return {}
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            if isinstance(content, dict) and content.get("schema") == SCHEMA and isinstance(content["subjects"], dict):
                return content
            found = f"schema {content.get('schema') if isinstance(content, dict) else type(content).__name__!r}"
        except (KeyError, ValueError) as error:
            found = f"{type(error).__name__}: {error}"
        if self.overwrite:
            return {}
        raise ValueError(
            f"{file}: expected a run of schema {SCHEMA!r}, found {found}; pass --overwrite true or another --output_dir"
        )


def digest_of(network: nn.Module) -> str:
    """Names what a network is made of, by its classes and options and not by its weights."""
    return hashlib.sha256(json.dumps(settings_of({"network": network}), sort_keys=True).encode()).hexdigest()


def who(scan: Scan) -> dict[str, str]:
    """Whose scan it is, and of when; an empty cell for what nobody said."""
    return {"patient": scan.subject.patient, "visit": scan.subject.visit or "", "date": scan.subject.date or ""}


def made_by(
    checkpoint: Path,
    normalizer_file: Path,
    network: nn.Module,
    settings: Mapping[str, Any],
    calibration: Calibration | None,
) -> dict[str, Any]:
    """What run.json says of the run as a whole."""
    record = {
        "schema": SCHEMA,
        "package_version": __version__,
        "checkpoint": checkpoint_record(checkpoint),
        "normalizer": checkpoint_record(normalizer_file),
        "network_sha256": digest_of(network),
        "settings": dict(settings),
    }
    if calibration is not None:
        record["calibration"] = {"level": calibration.level, "sha256": calibration.sha256}
    return record
