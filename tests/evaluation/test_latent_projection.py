import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from sklearn.decomposition import PCA

from semivae_bundle.evaluation import latent_projection
from semivae_bundle.evaluation.figure_projection import projection_figure
from semivae_bundle.evaluation.latent_projection import UmapProjection, pca_projection
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer

CODES = np.random.default_rng(0).normal(size=(30, 5)) * [3, 2, 1, 0.5, 0.1]


def test_the_projection_is_that_of_the_library_up_to_signs() -> None:
    found, names = pca_projection(CODES)
    fit = PCA(2).fit(CODES)
    np.testing.assert_allclose(np.abs(found), np.abs(fit.transform(CODES)), atol=1e-9)
    assert names == tuple(f"PC {k + 1}, {share:.0%}" for k, share in enumerate(fit.explained_variance_ratio_))


def test_one_dimension_or_none_that_varies_still_has_two_coordinates() -> None:
    found, names = pca_projection(CODES[:, :1])
    assert np.ptp(found[:, 1]) == 0
    assert names == ("PC 1, 100%", "PC 2, 0%")
    assert np.isfinite(pca_projection(np.ones((4, 3)))[0]).all()


def test_without_umap_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latent_projection, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install -c constraints.txt -e '\.\[umap\]'"):
        UmapProjection(15, 0.1, 0)


def test_umap_gets_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    class Stub:
        def __init__(self, **options: object) -> None:
            asked.update(options)

        def fit_transform(self, codes: np.ndarray) -> np.ndarray:
            return codes[:, :2].astype(np.float32)

    module = ModuleType("umap")
    module.__spec__ = ModuleSpec("umap", None)
    module.UMAP = Stub  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", module)
    found, names = UmapProjection(15, 0.1, 3)(CODES)
    assert found.dtype == np.float64
    assert names == ("UMAP 1", "UMAP 2")
    assert asked == {"n_neighbors": 15, "min_dist": 0.1, "random_state": 3, "n_jobs": 1}


def test_each_feature_has_a_panel_of_its_partition_and_the_residual_one(
    results: Results, normalizer: Normalizer, partition: dict[str, int]
) -> None:
    figure = projection_figure(results, normalizer, partition, pca_projection)
    assert figure is not None
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:4] == ["vol by vol_total", "loc by loc_x_total", "shape by surface_total", "residual by vol_total"]
    unknown, known = figure.axes[0].collections
    assert (len(unknown.get_offsets()), len(known.get_offsets())) == (10, 30)


def test_two_scans_have_no_picture(results: Results, normalizer: Normalizer, partition: dict[str, int]) -> None:
    few = replace(results, subjects=results.subjects[:2])
    assert projection_figure(few, normalizer, partition, pca_projection) is None
