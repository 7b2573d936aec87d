"""A cohort of phantoms on disk, in BraTS 2023 layout."""

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from semivae_bundle.data.files import write_json_atomically, write_text_atomically
from semivae_bundle.data.locks import locked
from semivae_bundle.data.parallel import in_parallel
from semivae_bundle.data.phantom.settings import Settings, claim_folder, refuse_folder_of_others
from semivae_bundle.data.phantom.subject import Scan, draw_head, scan_head
from semivae_bundle.data.phantom.tissue_map import map_of_head, save_tissue_map, tissue_file
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.data.wording import not_whole

# Streams of random numbers, beside those of the subjects.
UNLABELLED, INCOMPLETE, MISSING = 0, 1, 3


def generate_phantoms(
    output_dir: str | Path,
    n: int,
    *,
    size: int = 64,
    spacing: float = 3.75,
    seed: int = 0,
    contrast: str = "mixed",
    unlabelled: float = 0.0,
    missing_modality: float = 0.0,
    visits: int = 1,
    tissues: bool = False,
    workers: int = -1,
    progress: bool = True,
) -> Path:
    """Make `n` phantom patients, each scanned `visits` times, and return the path of their `factors.csv`.

    Images are cubes of `size` voxels, `spacing` mm each. `contrast` is "standard", "random" or "mixed". `unlabelled`
    and `missing_modality` are shares of patients without a mask and without one of the images. Patient i depends only
    on (seed, i) and these settings. Subjects already complete are kept, so an interrupted run goes on, and a larger `n`
    adds to a cohort; other settings in the same folder raise a ValueError. `tissues` writes the tissue of each scan
    beside its images, for training that draws contrasts anew; it changes no other byte, and adds to a cohort that was
    made without.
    """
    settings = Settings(size, spacing, seed, contrast, unlabelled, missing_modality, visits)
    if problem := not_whole("n", n) or not_whole("workers", workers):
        raise ValueError(f"phantoms: {problem}")
    if n < 1:
        raise ValueError(f"phantoms: n: expected at least 1 patient, found {n}")
    folder = Path(output_dir)
    refuse_folder_of_others(folder)
    lock = locked(folder, "cohort of phantoms")
    try:
        return write_cohort(folder, settings, n, tissues, workers=workers, progress=progress)
    finally:
        if lock is not None:
            lock.release()


def write_cohort(folder: Path, settings: Settings, n: int, tissues: bool, *, workers: int, progress: bool) -> Path:
    """`generate_phantoms` into a folder that no other process writes to."""
    claim_folder(folder, settings, n)
    for leftover in folder.glob(".BraTS-PHM-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    todo = [(folder, settings, i, v, tissues) for i in range(n) for v in range(settings.visits)]
    rows = list(in_parallel(make_subject, todo, workers=workers, label="phantoms", unit="scan", progress=progress))
    factors = folder / "factors.csv"
    write_text_atomically(factors, as_csv(rows))
    return factors


def make_subject(folder: Path, settings: Settings, index: int, visit: int, tissues: bool) -> dict[str, object]:
    """Write one scan, and its tissue where asked for, unless they are there complete; returns its row of factors."""
    name = subject_name(index, visit)
    row = complete_subject(folder / name, name)
    tissue_path = tissue_file(folder / name, name)
    wanted = tissues and (row is None or not tissue_path.exists())
    if row is not None and not wanted:
        return row
    # Threaded sums may differ in the last bit: one thread makes the same subject everywhere.
    with threadpool_limits(1):
        head = draw_head(
            settings.seed,
            index,
            visit,
            settings.visits,
            size=settings.size,
            spacing=settings.spacing,
            contrast=settings.contrast,
        )
        if row is None:
            scan = scan_head(head, visit, index, size=settings.size)
            row = write_subject(folder, settings, index, visit, scan)
    if wanted:
        save_tissue_map(tissue_path, map_of_head(head, settings.size))
    return row


def subject_name(index: int, visit: int) -> str:
    """As BraTS 2023 names its subjects."""
    return f"BraTS-PHM-{index:05d}-{visit:03d}"


def write_subject(folder: Path, settings: Settings, index: int, visit: int, scan: Scan) -> dict[str, object]:
    """Put a scan's files into a folder of its own, all or none; returns its row of factors."""
    name = subject_name(index, visit)
    labelled = not chosen(index, settings.unlabelled, settings.seed, UNLABELLED)
    missing = missing_channel(index, visit, settings)
    row: dict[str, object] = {"subject": name, **scan.factors, "labelled": int(labelled), "missing_modality": missing}
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        for channel, image in zip(MODALITIES, scan.images, strict=True):
            if channel != missing:
                save_image(temporary / f"{name}-{channel}.nii.gz", image, settings.spacing)
        if labelled:
            save_image(temporary / f"{name}-seg.nii.gz", scan.labels, settings.spacing)
        sizes = {path.name: path.stat().st_size for path in sorted(temporary.iterdir())}
        write_json_atomically(temporary / f"{name}-factors.json", {"factors": row, "bytes": sizes})
        temporary.chmod(0o755)
        if (folder / name).exists():
            shutil.rmtree(folder / name)
        temporary.rename(folder / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return row


def complete_subject(folder: Path, name: str) -> dict[str, object] | None:
    """The factors of a subject whose files are all there in full, else None."""
    try:
        record = json.loads((folder / f"{name}-factors.json").read_text())
        complete = all((folder / file).stat().st_size == size for file, size in record["bytes"].items())
    except (OSError, ValueError, KeyError):
        return None
    return record["factors"] if complete else None


def chosen(index: int, share: float, seed: int, salt: int) -> bool:
    """Whether patient `index` belongs to a share of the cohort: spread evenly, so that each prefix holds its part."""
    phase = float(np.random.default_rng([seed, salt]).random())
    return int(np.floor((index + 1) * share + phase)) > int(np.floor(index * share + phase))


def missing_channel(index: int, visit: int, settings: Settings) -> str:
    """The channel a scan lacks, or an empty text."""
    if not chosen(index, settings.missing_modality, settings.seed, INCOMPLETE):
        return ""
    return str(np.random.default_rng([settings.seed, index, MISSING, visit]).choice(MODALITIES))


def save_image(path: Path, image: NDArray[np.int16] | NDArray[np.uint8], spacing: float) -> None:
    """Write an RAS array as BraTS does: stored LPS, the first voxel at the front right, x and y running down."""
    end = (image.shape[1] - 1) * spacing
    affine = np.array([[-spacing, 0, 0, 0], [0, -spacing, 0, end], [0, 0, spacing, 0], [0, 0, 0, 1]])
    file = nib.Nifti1Image(np.ascontiguousarray(image[::-1, ::-1]), affine)
    file.set_qform(affine, code=1)
    file.header.set_xyzt_units("mm")
    nib.save(file, path)


def as_csv(rows: Iterable[dict[str, object]]) -> str:
    """The rows as CSV text."""
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
