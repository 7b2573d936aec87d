"""All terms of the training objective on one page, in nats per subject."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from semivae_bundle.losses.gather import share_of_all
from semivae_bundle.losses.independence import explained_nats
from semivae_bundle.losses.kl import gaussian_kl, in_units_of_prior, with_free_bits
from semivae_bundle.losses.reconstruction import pooled_nll, voxel_weights
from semivae_bundle.losses.semantic import masked_gaussian_nll
from semivae_bundle.losses.tumour import of_labelled, tumour_map_loss
from semivae_bundle.networks.partition import partition_slices

GAUSSIANS = ("mean", "log_var", "prior_mean", "prior_log_var")  # the last two in the output of HierarchicalSemiVAE

TUMOUR_TERMS = ("tumour_ce", "tumour_dice", "tumour_seen_ce", "tumour_seen_dice")


class WeightedSum(nn.Module):
    """Adds the weighted terms: name -> () each -> (). A module, so that a forward hook sees them with their graph."""

    def forward(self, weighted: Mapping[str, Tensor]) -> Tensor:
        """() nats per subject."""
        return torch.stack(list(weighted.values())).sum()


class SemiVAELoss(nn.Module):
    """Weighted sum of the terms below; `terms` holds the last value of each, unweighted and detached. A forward hook on
    `total` sees them weighted and with their graph.

    reconstruction   Gaussian NLL of the image at the optimal noise scale, `observations` per scan
    kl_<partition>   KL with the partition's free bits (`free_bits`, nats per dimension)
    semantic_<p>     Gaussian NLL of the present features of partition p at noise `semantic_sigma`
    tumour_ce, tumour_dice   the decoded tumour map of labelled subjects; times `observations`: voxels repeat each other
    tumour_seen_ce, _dice    the same for the segmentation that the encoder sees
    independence     what the prior charges for the part of the means that earlier partitions explain; under a learned
                     prior, of what the scan adds to the prior's means, as the prior can't make it any less dependent
    <name>           each of `extra`: a module (output, target) -> (), named without an underscore; in training only,
                     since such statistics remember training subjects and gather over processes

    `weights` has one number for each of reconstruction, kl, semantic, tumour, independence and the extra terms; `scale`
    multiplies them and is what schedules move (keys: `kl`, `semantic`, `independence`, ...). `features`: number of
    features per partition. `image_nll`: (prediction, target, weights, *, observations) -> () nats of the image.

    A supervised term is an average over labelled scans; in training each of several processes weighs by how many it
    has, so that all of them count alike (but for Dice, which is of a process's voxels together).
    """

    def __init__(
        self,
        partition: Mapping[str, int],
        features: Mapping[str, int],
        weights: Mapping[str, float],
        free_bits: Mapping[str, float],
        observations: float,
        semantic_sigma: float,
        tumour_weight: float,
        outside_weight: float,
        extra: Mapping[str, nn.Module] | None = None,
        image_nll: Callable[..., Tensor] = pooled_nll,
    ) -> None:
        super().__init__()
        self.extra = nn.ModuleDict(extra or {})
        misnamed = [name for name in self.extra if "_" in name or name not in weights]
        if misnamed:
            raise ValueError(
                f"loss: extra terms need a weight and a name without '_', found {misnamed} beside {list(weights)}"
            )
        self.slices = partition_slices(partition)
        self.feature_slices = partition_slices(features)
        self.weights = dict(weights)
        self.scale = dict.fromkeys(weights, 1.0)
        self.free_bits = dict(free_bits)
        self.observations = observations
        self.semantic_sigma = semantic_sigma
        self.tumour_weight = tumour_weight
        self.outside_weight = outside_weight
        self.image_nll = image_nll
        self.terms: dict[str, Tensor] = {}
        self.total = WeightedSum()

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` of PrepareSemiVAEBatch -> () nats per subject."""
        terms = self.reconstruction_terms(output, target)
        terms |= self.kl_terms(output)
        terms |= self.semantic_terms(output, target)
        terms |= self.tumour_terms(output, target)
        terms["independence"] = explained_nats(output.get("added", output["mean"]), output["explained"])
        if self.training:
            terms |= {name: term(output, target) for name, term in self.extra.items()}
        self.terms = {name: value.detach() for name, value in terms.items()}
        weighted = {name: self.weight_of(name) * value for name, value in terms.items()}
        if self.training:
            counts = self.supervised_by(target)
            for name, share in zip(counts, share_of_all(torch.stack(list(counts.values()))), strict=True):
                weighted[name] = share * weighted[name]
        total: Tensor = self.total(weighted)
        return total

    @property
    def names(self) -> list[str]:
        """Every term."""
        partitions = [f"kl_{name}" for name in self.slices] + [f"semantic_{name}" for name in self.feature_slices]
        return ["reconstruction", *partitions, *TUMOUR_TERMS, "independence", *self.extra]

    def weight_of(self, term: str) -> float:
        """The weight of a term now: the configured weight of its family times the schedule's scale."""
        family = term.split("_")[0]
        own = 1.0 if term == family else self.scale.get(term, 1.0)
        return self.weights[family] * self.scale[family] * own

    def supervised_by(self, target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """How many scans of a batch each supervised term is the average of: those with what it asks for, ()."""
        present = target["present"] > 0
        counts = {f"semantic_{name}": present[:, part].any(dim=1).sum() for name, part in self.feature_slices.items()}
        return counts | dict.fromkeys(TUMOUR_TERMS, target["labelled"].sum())

    def averaged_over(self, target: Mapping[str, Tensor]) -> dict[str, int]:
        """How many scans of a batch each of `terms` is the average of: all, where it needs no label."""
        scans = dict.fromkeys(self.terms, len(target["labelled"]))
        return scans | {name: int(count) for name, count in self.supervised_by(target).items()}

    def reconstruction_terms(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tumour-weighted Gaussian NLL of the image."""
        tumour = target["regions"].sum(dim=1, keepdim=True).float()
        weights = voxel_weights(
            target["brain"].float(), tumour, outside=self.outside_weight, tumour_weight=self.tumour_weight
        )
        prediction, image = output["reconstruction"], target["image"]
        return {"reconstruction": self.image_nll(prediction, image, weights, observations=self.observations)}

    def kl_terms(self, output: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """KL of each partition with its free bits, from the prior in the output where a network learned one."""
        code = {name: output[name].float() for name in GAUSSIANS if name in output}
        kl = gaussian_kl(*in_units_of_prior(code))
        return {f"kl_{name}": with_free_bits(kl[part], self.free_bits[name]) for name, part in self.slices.items()}

    def semantic_terms(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Feature regression of each supervised partition."""
        return {
            f"semantic_{name}": masked_gaussian_nll(
                output["features"][:, part],
                target["features"][:, part],
                target["present"][:, part],
                sigma=self.semantic_sigma,
            )
            for name, part in self.feature_slices.items()
        }

    def tumour_terms(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cross-entropy and Dice of the decoded tumour map, and of the one that the encoder sees."""
        maps = (output["tumour_logits"], output["seen_logits"], target["regions"], target["brain"])
        decoded, seen, regions, brain = of_labelled(target["labelled"], maps)
        ce, dice = tumour_map_loss(decoded, regions, brain)
        seen_ce, seen_dice = tumour_map_loss(seen, regions, brain)
        costs = (ce, dice, seen_ce, seen_dice)
        return {name: self.observations * cost for name, cost in zip(TUMOUR_TERMS, costs, strict=True)}
