import numpy as np
import pytest

from semivae_bundle.evaluation.manifold_overlap import Overlap, expected_coverage, manifold_overlap, mean_overlap

CLOUD = np.random.default_rng(0).normal(size=(100, 4))


def test_identical_sets_have_1_in_everything() -> None:
    assert manifold_overlap(CLOUD, CLOUD, 5) == Overlap(1, 1, 1, 1)


def test_disjoint_sets_have_0_in_everything() -> None:
    assert manifold_overlap(CLOUD, CLOUD + 100, 5) == Overlap(0, 0, 0, 0)


def test_generated_in_one_of_two_clusters_are_precise_and_recall_half() -> None:
    rng = np.random.default_rng(1)
    real = np.concatenate([CLOUD, CLOUD + 100])
    found = manifold_overlap(real, rng.normal(size=(200, 4)), 5)
    assert found.precision > 0.8
    assert found.recall == pytest.approx(0.5, abs=0.1)
    assert found.coverage == pytest.approx(0.5, abs=0.05)


def test_one_generated_outlier_makes_recall_whole_and_leaves_coverage_at_0() -> None:
    # arXiv:2002.09797, section 3: the outlier's ball reaches back over all real points, near which nothing was drawn.
    generated = np.concatenate([CLOUD + np.array([30, 0, 0, 0]), [[-30, 0, 0, 0]]])
    found = manifold_overlap(CLOUD, generated, 5)
    assert (found.recall, found.coverage) == (1, 0)


def test_one_real_outlier_makes_precision_whole_and_leaves_density_near_0() -> None:
    real = np.concatenate([CLOUD + np.array([30, 0, 0, 0]), [[-30, 0, 0, 0]]])
    found = manifold_overlap(real, CLOUD, 5)
    assert found.precision == 1
    assert found.density == pytest.approx(1 / 5)


@pytest.mark.parametrize("dimensions", [1, 40])
def test_coverage_of_one_distribution_is_as_published_in_any_dimension(dimensions: int) -> None:
    rng = np.random.default_rng(2)
    draws = [manifold_overlap(*rng.normal(size=(2, 60, dimensions)), 3) for _ in range(100)]
    assert mean_overlap(draws).coverage == pytest.approx(expected_coverage(60, 60, 3), abs=0.01)
    assert mean_overlap(draws).density == pytest.approx(1, abs=0.1)


def test_too_few_points_are_told() -> None:
    with pytest.raises(ValueError, match="more than 5 points in each set, found 5 and 100"):
        manifold_overlap(CLOUD[:5], CLOUD, 5)
