"""The device that is asked for, if this machine has it."""

from __future__ import annotations

import torch


def devices_here() -> list[str]:
    """The CPU and every accelerator that this build of torch can reach, such as cuda:0."""
    accelerator = torch.accelerator.current_accelerator()
    count = torch.accelerator.device_count() if accelerator else 0
    return ["cpu", *(f"{accelerator}:{number}" for number in range(count))]


def present_device(device: str | int | torch.device) -> torch.device:
    """ValueError, which names the devices that are here, for any other; without a number the first of its kind."""
    here = devices_here()
    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError):  # no name of a device, or a number where there are none to count
        wanted = None
    if wanted is None or not {str(wanted), f"{wanted.type}:{wanted.index or 0}"} & set(here):
        raise ValueError(
            f"device: expected one that is here ({', '.join(here)}), found {str(device)!r}; leave --device out to take "
            "a GPU where there is one"
        )
    return wanted
