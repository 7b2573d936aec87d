"""The whole objective: every option has an effect, every term is finite."""

from typing import Any

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.objective import SemiVAELoss

PARTITION = {"vol": 2, "loc": 3, "residual": 3}
FEATURES = {"vol": 1, "loc": 2}
WEIGHTS = {"reconstruction": 1.0, "kl": 0.5, "semantic": 2.0, "tumour": 0.25, "independence": 3.0}
TERMS = {
    *("reconstruction", "kl_vol", "kl_loc", "kl_residual", "semantic_vol", "semantic_loc", "independence"),
    *("tumour_ce", "tumour_dice", "tumour_seen_ce", "tumour_seen_dice"),
}


def an_objective(**options: Any) -> SemiVAELoss:
    arguments: dict[str, Any] = {
        "partition": PARTITION,
        "features": FEATURES,
        "weights": WEIGHTS,
        "free_bits": {"vol": 0.1, "loc": 0.1, "residual": 0.2},
        "observations": 50.0,
        "semantic_sigma": 0.2,
        "tumour_weight": 5.0,
        "outside_weight": 0.1,
    }
    return SemiVAELoss(**{**arguments, **options})


def a_batch(labelled: bool = True, seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    grid = (4, 4, 4)
    output = {
        "mean": normal(4, 8),
        "log_var": normal(4, 8),
        "features": normal(4, 3),
        "reconstruction": normal(4, 4, *grid),
        "tumour_logits": normal(4, 4, *grid),
        "seen_logits": normal(4, 4, *grid),
        "explained": normal(4, 8),
    }
    brain = torch.zeros(4, 1, *grid)
    brain[:, :, 1:] = 1
    target = {
        "image": normal(4, 4, *grid),
        "regions": 0.5 * normal(4, 4, *grid).softmax(dim=1)[:, :3] * labelled,
        "brain": brain,
        "features": normal(4, 3) if labelled else torch.full((4, 3), float("nan")),
        "present": torch.full((4, 3), float(labelled)),
        "labelled": torch.full((4,), labelled),
    }
    return {name: value.requires_grad_() for name, value in output.items()}, target


class Doubled(torch.nn.Module):
    def forward(self, output: dict[str, Tensor], target: dict[str, Tensor]) -> Tensor:
        return 2 * output["mean"].square().mean()


def test_an_extra_term_is_shown_weighted_and_scheduled() -> None:
    plain, more = an_objective(), an_objective(weights={**WEIGHTS, "doubled": 4.0}, extra={"doubled": Doubled()})
    more.scale["doubled"] = 0.5
    added = total_of(more) - total_of(plain)
    assert added == pytest.approx(4 * 0.5 * more.terms["doubled"].item(), rel=1e-3)
    assert more.terms["doubled"].item() > 0
    more.eval()
    assert total_of(more) == pytest.approx(total_of(plain))
    assert "doubled" not in more.terms


@pytest.mark.parametrize("name", ["dou_bled", "unweighted"])
def test_an_extra_term_without_weight_or_with_an_underscore_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"extra terms need a weight and a name without '_', found \\['{name}'\\]"):
        an_objective(weights={**WEIGHTS, "dou_bled": 1.0}, extra={name: Doubled()})


def total_of(objective: SemiVAELoss) -> float:
    return objective(*a_batch()).item()


def test_the_total_is_the_weighted_sum_of_the_terms_shown() -> None:
    objective = an_objective()
    total = total_of(objective)
    assert set(objective.terms) == TERMS
    expected = sum(WEIGHTS[name.split("_")[0]] * value.item() for name, value in objective.terms.items())
    assert total == pytest.approx(expected, rel=1e-5)
    assert not any(value.requires_grad for value in objective.terms.values())


def test_a_hook_on_the_sum_sees_the_weighted_terms_with_their_graph() -> None:
    objective, seen = an_objective(), {}
    objective.total.register_forward_pre_hook(lambda module, arguments: seen.update(arguments[0]))
    output, target = a_batch()
    total = objective(output, target)
    torch.testing.assert_close(sum(seen.values()), total)
    (gradient,) = torch.autograd.grad(seen["kl_vol"], output["mean"])
    assert gradient.any(dim=0).tolist() == [True] * 2 + [False] * 6


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_every_weight_and_every_schedule_has_its_proportional_effect(name: str) -> None:
    plain, doubled, halved = an_objective(), an_objective(weights={**WEIGHTS, name: 2 * WEIGHTS[name]}), an_objective()
    halved.scale[name] = 0.5
    base = total_of(plain)
    share = sum(plain.weight_of(term) * value.item() for term, value in plain.terms.items() if term.startswith(name))
    assert abs(share) > 1e-3
    assert total_of(doubled) - base == pytest.approx(share, rel=1e-3)
    assert total_of(halved) - base == pytest.approx(-share / 2, rel=1e-3)


def test_a_schedule_can_move_one_term_of_a_family() -> None:
    objective = an_objective()
    objective.scale |= {"semantic": 0.5, "semantic_loc": 0.2}
    assert objective.weight_of("semantic_vol") == pytest.approx(2.0 * 0.5)
    assert objective.weight_of("semantic_loc") == pytest.approx(2.0 * 0.5 * 0.2)


@pytest.mark.parametrize(
    "option",
    [
        {"free_bits": {"vol": 3.0, "loc": 0.1, "residual": 0.2}},
        {"free_bits": {"vol": 0.1, "loc": 3.0, "residual": 0.2}},
        {"free_bits": {"vol": 0.1, "loc": 0.1, "residual": 3.0}},
        {"observations": 60.0},
        {"semantic_sigma": 0.3},
        {"tumour_weight": 2.0},
        {"outside_weight": 0.5},
    ],
)
def test_every_option_has_an_effect(option: dict[str, Any]) -> None:
    assert abs(total_of(an_objective(**option)) - total_of(an_objective())) > 1e-3


@pytest.mark.parametrize("labelled", [True, False])
def test_terms_and_gradients_are_finite_with_and_without_labels(labelled: bool) -> None:
    objective = an_objective()
    output, target = a_batch(labelled)
    objective(output, target).backward()
    assert all(value.isfinite() for value in objective.terms.values())
    assert all(
        value.grad is not None and value.grad.isfinite().all() for name, value in output.items() if name != "explained"
    )


def test_without_labels_only_the_unsupervised_terms_are_left() -> None:
    objective = an_objective()
    output, target = a_batch(labelled=False)
    objective(output, target).backward()
    silent = {name for name, value in objective.terms.items() if value.item() == 0}
    assert silent == {name for name in TERMS if name.startswith(("semantic", "tumour"))}
    for name in ("features", "tumour_logits", "seen_logits"):
        grad = output[name].grad
        assert grad is not None
        assert not grad.any()


def test_the_gradient_reaches_every_output_but_what_is_taken_away() -> None:
    output, target = a_batch()
    an_objective()(output, target).backward()
    assert [name for name, value in output.items() if value.grad is None or not value.grad.any()] == ["explained"]


@pytest.mark.parametrize(("output_name", "term"), [("tumour_logits", "tumour"), ("seen_logits", "tumour_seen")])
def test_each_tumour_map_has_its_own_terms(output_name: str, term: str) -> None:
    objective = an_objective()
    output, target = a_batch()
    fractions = torch.cat([1 - target["regions"].sum(dim=1, keepdim=True), target["regions"]], dim=1)
    objective({**output, output_name: fractions.log()}, target)
    exact = {name for name, value in objective.terms.items() if name.endswith("dice") and value.item() < 1e-3}
    assert exact == {f"{term}_dice"}


def test_the_semantic_terms_take_their_own_features() -> None:
    objective = an_objective()
    output, target = a_batch()
    objective(output, target)
    before = {name: value.item() for name, value in objective.terms.items()}
    moved = output["features"].detach() + torch.tensor([0.0, 0.0, 1.0])
    objective({**output, "features": moved}, target)
    changed = {name for name, value in objective.terms.items() if abs(value.item() - before[name]) > 1e-4}
    assert changed == {"semantic_loc"}


def test_a_labelled_scan_weighs_the_same_whichever_process_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    output, target = a_batch()
    target["labelled"] = torch.tensor([True, True, True, False])
    target["present"] = target["labelled"][:, None].expand(4, 3).float()

    def gradient(rows: slice) -> Tensor:
        part = {name: value[rows].detach().requires_grad_() for name, value in output.items()}
        an_objective()(part, {name: value[rows] for name, value in target.items()}).backward()
        return part["features"].grad

    alone = gradient(slice(0, 4))
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    found = []
    # Two labelled scans on one process, one on the other.
    for rows, elsewhere in ((slice(0, 2), 1), (slice(2, 4), 2)):
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda total, more=elsewhere: total.add_(more))
        found.append(gradient(rows) / 2)  # the mean over processes
    torch.testing.assert_close(torch.cat(found), alone)
    assert alone[:3].all()
