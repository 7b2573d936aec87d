import numpy as np
import pytest

from semivae_bundle.evaluation.modularity import modularity


def test_codes_of_one_factor_each_are_modular() -> None:
    assert modularity(np.diag([1.0, 2.0, 0.5])) == 1


def test_a_code_of_all_factors_alike_is_not() -> None:
    assert modularity(np.full((2, 3), 0.7)) == 0


def test_a_second_factor_at_half_costs_a_quarter_of_its_share() -> None:
    assert modularity(np.array([[1.0, 0.5, 0.0]])) == pytest.approx(1 - 0.25 / 2)


def test_duplicates_do_not_matter_and_unused_codes_do_not_count() -> None:
    single = np.array([[1.0, 0.2], [0.0, 0.8]])
    assert modularity(np.concatenate([single, single])) == pytest.approx(modularity(single))
    assert modularity(np.concatenate([single, np.zeros((5, 2))])) == pytest.approx(modularity(single))


@pytest.mark.parametrize("information", [np.zeros((3, 2)), np.ones((3, 1))])
def test_without_information_or_a_second_factor_there_is_none(information: np.ndarray) -> None:
    assert np.isnan(modularity(information))
