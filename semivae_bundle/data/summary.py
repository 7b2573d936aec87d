"""A cohort in words, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from semivae_bundle.data.problems import Problem, Quarantined
from semivae_bundle.data.subjects import Subject

SHOWN_PER_CODE = 5


def summarise_cohort(
    subjects: Sequence[Subject], quarantine: Sequence[Quarantined], warnings: Sequence[Problem]
) -> str:
    """Counts, then each problem in three lines; of one kind, the first SHOWN_PER_CODE."""
    rows = [("subjects", len(subjects) + len(quarantine), "found")]
    rows.append(("usable", len(subjects), _breakdown(subjects)))
    if converted := sum(4 in subject.label_map and subject.label_map[4] == 3 for subject in subjects):
        rows.append(("label 4", converted, "masks of the convention up to 2021: 4 is read as enhancing tumour"))
    rows.append(("quarantined", len(quarantine), "kept out of everything" if quarantine else ""))
    rows.append(("warnings", len(warnings), "on usable subjects" if warnings else ""))
    lines = _table(rows)
    problems = [problem for entry in quarantine for problem in entry.problems if not problem.is_warning]
    lines += _section("quarantined because of", problems)
    lines += _section("warnings", warnings)
    return "\n".join(lines)


def summarise_splits(subjects: Sequence[Subject], splits: Mapping[str, Sequence[str]]) -> str:
    """Who is in each split, in numbers."""
    by_name = {subject.subject: subject for subject in subjects}
    return "\n".join(
        _table([(name, len(ids), _breakdown([by_name[subject] for subject in ids])) for name, ids in splits.items()])
    )


def _table(rows: Sequence[tuple[str, int, str]]) -> list[str]:
    return [f"{name:<12}{count:>6}  {note}".rstrip() for name, count, note in rows]


def _breakdown(subjects: Sequence[Subject]) -> str:
    if not subjects:
        return ""
    labelled = sum(subject.seg is not None for subject in subjects)
    patients = len({subject.patient for subject in subjects})
    return f"{labelled} labelled, {len(subjects) - labelled} unlabelled, of {patients} patients"


def _section(title: str, problems: Sequence[Problem]) -> Iterator[str]:
    if problems:
        yield ""
        yield f"{title}:"
    for code in dict.fromkeys(problem.code for problem in problems):
        same = [problem for problem in problems if problem.code == code]
        for problem in same[:SHOWN_PER_CODE]:
            yield f"  {problem.subject}  [{code}]  {problem.file}".rstrip()
            yield f"      expected {problem.expected}; found {problem.found}"
            yield f"      -> {problem.remedy}"
        if len(same) > SHOWN_PER_CODE:
            yield f"  and {len(same) - SHOWN_PER_CODE} more [{code}]"
