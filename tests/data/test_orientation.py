"""Headers against the rest of their cohort."""

from dataclasses import replace

import numpy as np
import pytest

from semivae_bundle.data.orientation import (
    Geometry,
    ambiguous_orientations,
    axis_codes,
    brain_box,
    check_overrides,
    stated_affine,
)
from semivae_bundle.data.problems import CohortError

# Stored LPS: the brain at 10-20 of 24 cm from the front is at 4-14 cm from the back.
USUAL = Geometry("A", "A/t1c", "LPS", (0, 239, 0), (24, 24, 16), (10, 10, 10), ((5, 18), (10, 19), (2, 14)))
COHORT = [replace(USUAL, subject=name) for name in "ABC"]
# The same head stored RAS, its origin not moved with the axes.
TURNED = replace(USUAL, subject="M", codes="RAS", brain=((5, 18), (4, 13), (2, 14)))


def test_the_brain_box_is_measured_from_left_back_and_bottom() -> None:
    np.testing.assert_allclose(brain_box(USUAL, "LPS"), [[50, 190], [40, 140], [20, 150]])
    np.testing.assert_allclose(brain_box(TURNED, "RAS"), brain_box(USUAL, "LPS"))


def test_a_cohort_of_one_mind_has_no_warning() -> None:
    assert ambiguous_orientations(COHORT, {}) == []
    assert ambiguous_orientations([TURNED], {}) == []


def test_other_axes_at_the_same_origin_are_ambiguous_and_the_outline_speaks_for_the_header() -> None:
    (problem,) = ambiguous_orientations([*COHORT, TURNED], {})
    assert (problem.code, problem.subject, problem.is_warning) == ("ambiguous_orientation", "M", True)
    assert "axes LPS as in 3 of 4" in problem.expected
    assert "axes RAS with the same origin (0, 239, 0) mm" in problem.found
    assert "40-140 mm read as RAS and 100-200 mm read as LPS, against 40-140 mm" in problem.found
    assert problem.found.endswith("stored as RAS")
    assert "orientation={'M': 'RAS'} (or 'LPS')" in problem.remedy


def test_the_outline_speaks_against_a_header_that_was_only_relabelled() -> None:
    relabelled = replace(TURNED, brain=USUAL.brain)
    (problem,) = ambiguous_orientations([*COHORT, relabelled], {})
    assert problem.found.endswith("stored as LPS")
    assert "orientation={'M': 'LPS'} (or 'RAS')" in problem.remedy
    (elsewhere,) = ambiguous_orientations([*COHORT, replace(relabelled, origin=(-230, 0, 0))], {})
    assert "stored as LPS" in elsewhere.found


def test_a_turned_array_with_its_origin_moved_is_no_warning() -> None:
    assert ambiguous_orientations([*COHORT, replace(TURNED, origin=(-230, 0, 0))], {}) == []


def test_left_and_right_alone_cannot_be_told_from_the_outline() -> None:
    (problem,) = ambiguous_orientations([*COHORT, replace(USUAL, subject="M", codes="RPS")], {})
    assert "cannot tell" in problem.found


def test_an_override_settles_the_question() -> None:
    assert ambiguous_orientations([*COHORT, TURNED], {"M": "RAS"}) == []


def test_at_a_tie_the_axes_of_brats_are_the_usual_ones() -> None:
    assert [problem.subject for problem in ambiguous_orientations([TURNED, USUAL], {})] == ["M"]


def test_a_header_without_axes_is_ambiguous_by_itself() -> None:
    (problem,) = ambiguous_orientations([replace(USUAL, has_orientation=False)], {})
    assert "no qform, no sform" in problem.found


@pytest.mark.parametrize("codes", ["RAS", "LPS", "PIR", "ASR", "IRP"])
def test_a_stated_affine_has_the_stated_codes_the_old_spacing_and_starts_at_zero(codes: str) -> None:
    shape = (4, 5, 6)
    affine = stated_affine(codes, shape, np.diag([2.0, 3, 4, 1]))
    assert axis_codes(affine) == codes
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), [2, 3, 4])
    corners = np.stack(np.meshgrid(*[[0, side - 1] for side in shape]), axis=-1).reshape(-1, 3)
    np.testing.assert_allclose((corners @ affine[:3, :3].T + affine[:3, 3]).min(axis=0), 0)


def test_an_affine_that_names_no_axes_has_no_codes() -> None:
    assert axis_codes(np.diag([1.0, 1, 0, 1])) is None
    assert axis_codes(np.full((4, 4), np.nan)) is None


def test_overrides_are_checked_all_at_once() -> None:
    with pytest.raises(CohortError, match=r"'X' is not a subject.*'LPX' for A.*'RL' for B.*'LRS' for C"):
        check_overrides({"X": "LPS", "A": "LPX", "B": "RL", "C": "LRS"}, ["A", "B", "C"])
