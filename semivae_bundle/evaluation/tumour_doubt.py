"""Is there a tumour in the scan at all, as far as the network can tell?"""

from __future__ import annotations

import torch
from torch import Tensor

SHARE = 0.001  # of the brain: about 1.5 ml


def tumour_doubt(tumour_logits: Tensor, brain: Tensor) -> float:
    """Mean probability of *not* being tumour over the thousandth of the brain that looks most like one: in [0, 1].

    `tumour_logits` (T, D, H, W), class 0 the background; `brain` (D, H, W), bool. Near 0 where some tumour is sure,
    however small; a summed volume would take a sure small tumour and a vague large one for the same.
    """
    background = torch.softmax(tumour_logits.detach().double(), dim=0)[0][brain]
    most = max(1, round(SHARE * background.numel()))
    return float(torch.topk(background, most, largest=False).values.mean())
