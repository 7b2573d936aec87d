"""One scan and what the network made of it -> the gate's verdict."""

from __future__ import annotations

import torch
from torch import Tensor

from semivae_bundle.evaluation.novelty import NoveltyGate, Verdict
from semivae_bundle.evaluation.scan_profiles import scan_profiles
from semivae_bundle.evaluation.scan_scores import scan_scores


def scan_verdict(
    gate: NoveltyGate, image: Tensor, reconstruction: Tensor, mean: Tensor, log_var: Tensor, tumour_logits: Tensor
) -> Verdict:
    """`image`, `reconstruction` (4, D, H, W), `mean`, `log_var` (L,), `tumour_logits` (T, D, H, W), all on the CPU."""
    scores = scan_scores(image, reconstruction, mean, log_var, tumour_logits)
    profiles = scan_profiles(torch.as_tensor(image).numpy()) if gate.profiles else {}
    return gate.judge(mean.double().numpy(), scores, profiles)
