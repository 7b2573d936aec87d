import pytest
import torch

from semivae_bundle.evaluation.scan_scores import scan_scores, scores_of_batch


def an_image() -> torch.Tensor:
    image = torch.zeros(4, 8, 8, 8)
    image[:, 2:6, 2:6, 2:6] = torch.randn(4, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    return image


NOTHING = torch.zeros(4, 8, 8, 8)  # all four classes alike


def test_known_values_are_found() -> None:
    image = an_image()
    scores = scan_scores(image, image + 0.5, torch.full((3,), 2.0), torch.zeros(3), NOTHING)
    expected = {"reconstruction_error": 0.5, "kl": 6.0, "brain_fraction": 1 / 8, "tumour_doubt": 1 / 4}
    assert scores == pytest.approx(expected)


def test_what_is_drawn_outside_of_the_brain_does_not_count() -> None:
    image = an_image()
    drawn = torch.where(image == 0, 100.0, image)
    assert scan_scores(image, drawn, torch.zeros(3), torch.zeros(3), NOTHING)["reconstruction_error"] == 0


def test_a_batch_has_the_scores_of_each_scan() -> None:
    image = torch.stack([an_image(), 2 * an_image()])
    output = {"reconstruction": 0 * image, "mean": torch.zeros(2, 3), "log_var": torch.zeros(2, 3)}
    output["tumour_logits"] = NOTHING.expand(2, -1, -1, -1, -1)
    first, second = scores_of_batch(image, output)
    assert second["reconstruction_error"] == pytest.approx(2 * first["reconstruction_error"])


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(ValueError, match="expected voxels that are not 0"):
        scan_scores(0 * NOTHING, NOTHING, torch.zeros(3), torch.zeros(3), NOTHING)


def test_a_reconstruction_that_is_no_number_is_refused_rather_than_judged() -> None:
    image = an_image()
    with pytest.raises(ValueError, match=r"found NaN or infinity for \['reconstruction_error'\]; check the weights"):
        scan_scores(image, image * float("nan"), torch.zeros(3), torch.zeros(3), NOTHING)
