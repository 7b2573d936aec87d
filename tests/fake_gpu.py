"""A GPU for machines without one: tensors that have its device, its types and its layouts, and no numbers."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from semivae_bundle.training import devices

# With its number: without one, a build of torch for CPUs alone asks a driver that is not there.
GPU = torch.device("cuda", 0)
aten = torch.ops.aten


class Questions(TorchDispatchMode):
    """Answers what the host asks tensors without numbers: yes, 1, all rows. Keeps in `asked` what it asked of a GPU,
    which has to finish all its work before it can answer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is aten._local_scalar_dense.default:
            self.note("number", args[0])
            return {torch.bool: True, torch.int64: 1}.get(args[0].dtype, 1.0)
        if func is aten.nonzero.default:
            self.note("rows", args[0])
            return args[0].new_empty(args[0].numel(), args[0].dim(), dtype=torch.int64)
        if func is aten.index.Tensor and args[1][0] is not None and args[1][0].dtype == torch.bool:
            self.note("mask", args[0])
            return args[0].new_empty(args[1][0].numel(), *args[0].shape[args[1][0].dim() :])
        if func is aten._linalg_check_errors.default:
            self.note("check", args[0])
            return None
        if func is aten._to_copy.default and torch.device(kwargs.get("device") or GPU).type == "cpu":
            self.note("copy", args[0])
        return func(*args, **kwargs)

    def note(self, what: str, tensor: torch.Tensor) -> None:
        if tensor.device.type == "cuda":
            self.asked.append(what)


@contextmanager
def fake_gpu() -> Iterator[Questions]:
    """Within it GPU can be moved to and computed on, and tensors of two devices that meet are an error.

    Without gradients, for which autograd wants a real one.
    """
    with pytest.MonkeyPatch.context() as patch, guarded():
        # Autocast switches itself off where there is no driver.
        patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        patch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
        patch.setattr(devices, "devices_here", lambda: ["cpu", str(GPU)])
        with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad(), Questions() as questions:
            yield questions


@contextmanager
def guarded() -> Iterator[None]:
    """Lends the GPU the CPU's guard, which has no current device to keep, in a build of torch for CPUs alone.

    FakeTensorMode does so itself in a build for GPUs (torch._C._ensureCUDADeviceGuardSet).
    """
    if torch.backends.cuda.is_built():
        yield
        return
    try:
        library = ctypes.CDLL(str(next((Path(torch.__file__).parent / "lib").glob("libc10.*"))))
        guards = (ctypes.c_void_p * 2).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    except (OSError, ValueError, StopIteration):
        pytest.skip("needs a build of torch for GPUs, or one for Linux")
    guards[1] = guards[0]
    try:
        yield
    finally:
        guards[1] = None
