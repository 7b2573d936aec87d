"""bf16 and channels-last, where asked for."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.training.precision import AutocastInferer, bf16_supported, channels_last


class Spy(nn.Conv3d):
    """Remembers whether its input was channels-last."""

    def forward(self, x: Tensor) -> Tensor:
        self.saw_channels_last = x.is_contiguous(memory_format=torch.channels_last_3d)
        return super().forward(x)


@pytest.mark.parametrize(("enabled", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_network_runs_in_bf16_only_where_enabled_and_always_channels_last(enabled: bool, dtype) -> None:
    network = Spy(2, 3, 3)
    output = AutocastInferer(enabled)(torch.randn(1, 2, 4, 4, 4), network)
    assert output.dtype == dtype
    assert network.saw_channels_last


def test_the_memory_format_changes_no_number() -> None:
    torch.manual_seed(0)
    network, x = nn.Conv3d(2, 3, 3), torch.randn(1, 2, 4, 4, 4)
    expected = network(x)
    turned = channels_last(network)
    assert turned.weight.is_contiguous(memory_format=torch.channels_last_3d)
    torch.testing.assert_close(AutocastInferer(False)(x, turned), expected)


def test_whether_this_machine_has_bf16_is_a_plain_answer() -> None:
    assert isinstance(bf16_supported("cpu"), bool)


def test_a_cpu_without_bf16_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert bf16_supported("cpu") is False
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert bf16_supported(torch.device("cpu")) is True
