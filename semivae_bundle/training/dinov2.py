"""DINOv2 (arXiv:2304.07193) from a local file."""

from __future__ import annotations

from typing import Any

from torch import nn

from semivae_bundle.training.weights_file import WeightsFile, read_state


def dinov2_network(weights: WeightsFile, **architecture: Any) -> nn.Module:
    """Dinov2Model of transformers, of `architecture` (arguments of Dinov2Config), with exactly these weights, frozen.

    transformers maps the published names to its own and would draw weights at random where the file has none; here that
    is a ValueError. ImportError without transformers. Nothing is downloaded but by `weights`.
    """
    try:
        from transformers import Dinov2Config, Dinov2Model
        from transformers.utils import logging
    except ImportError as error:
        raise ImportError(
            "DINOv2 needs transformers and safetensors; pip install -c constraints.txt -e '.[dinov2]', or use another "
            "extractor (docs/learned_residual.md)"
        ) from error
    file = weights.path()
    # Its progress bars and its report of what does not fit, which is an error below.
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        network, loading = Dinov2Model.from_pretrained(
            None,
            config=Dinov2Config(**architecture),
            state_dict=read_state(file),
            local_files_only=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
    kinds = ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
    wrong = {kind: sorted(map(str, loading[kind])) for kind in kinds if loading.get(kind)}
    if wrong:
        said = "; ".join(f"{len(names)} {kind.replace('_', ' ')} such as {names[0]}" for kind, names in wrong.items())
        raise ValueError(
            f"{file}: not the weights of Dinov2Model of {architecture}: {said}; give its sizes in extractor_network, "
            "as in the config.json that came with the weights"
        )
    frozen: nn.Module = network.requires_grad_(False).eval()
    return frozen
