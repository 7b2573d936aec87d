"""bf16 where asked for, and the layout that suits the device."""

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.training import devices
from semivae_bundle.training.precision import AutocastInferer, bf16_supported, fastest_layout, in_fastest_layout


class Spy(nn.Conv3d):
    """Remembers whether its input was contiguous."""

    def forward(self, x: Tensor) -> Tensor:
        self.saw_contiguous = x.is_contiguous()
        return super().forward(x)


@pytest.mark.parametrize(("enabled", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_the_network_runs_in_bf16_only_where_enabled(enabled: bool, dtype) -> None:
    assert AutocastInferer(enabled)(torch.randn(1, 2, 4, 4, 4), Spy(2, 3, 3)).dtype == dtype


def test_a_gpu_gets_channels_last_and_a_cpu_contiguous_volumes() -> None:
    assert fastest_layout(torch.device("cuda", 1)) == torch.channels_last_3d
    assert fastest_layout(torch.device("cpu")) == torch.contiguous_format
    network, x = Spy(2, 3, 3), torch.randn(1, 2, 4, 4, 4).to(memory_format=torch.channels_last_3d)
    AutocastInferer(False)(x, network)
    assert network.saw_contiguous


def test_the_layout_changes_no_number() -> None:
    torch.manual_seed(0)
    network, x = nn.Conv3d(2, 3, 3).to(memory_format=torch.channels_last_3d), torch.randn(1, 2, 4, 4, 4)
    expected = network(x)
    turned = in_fastest_layout(network, "cpu")
    assert turned.weight.is_contiguous()
    torch.testing.assert_close(AutocastInferer(False)(x, turned), expected)


def test_whether_this_machine_has_bf16_is_a_plain_answer() -> None:
    assert isinstance(bf16_supported("cpu", 4), bool)


def test_a_cpu_without_bf16_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert bf16_supported("cpu", 4) is False
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    assert bf16_supported(torch.device("cpu"), 4) is True


def test_a_gpu_that_only_emulates_bf16_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    turing_and_ampere = {"cuda:0": (7, 5), "cuda:1": (8, 0)}
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: turing_and_ampere[str(device)])
    monkeypatch.setattr(devices, "devices_here", lambda: ["cpu", *turing_and_ampere])
    assert [bf16_supported(name, 4) for name in turing_and_ampere] == [False, True]


def test_bf16_is_off_on_a_cpu_whose_coarsest_map_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert [bf16_supported("cpu", side) for side in (1, 2, 3, 4)] == [False, False, True, True]


def test_a_device_that_is_not_here_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "devices_here", lambda: ["cpu", "cuda:0"])
    assert [devices.present_device(name).type for name in ("cpu", "cuda", torch.device("cuda", 0))] == [
        *("cpu", "cuda", "cuda")
    ]
    for name in ("gpu", "cuda:1", "mps"):
        with pytest.raises(ValueError, match=rf"device: expected one that is here \(cpu, cuda:0\), found '{name}'"):
            bf16_supported(name, 4)
        with pytest.raises(ValueError, match="device: expected one that is here"):
            in_fastest_layout(nn.Conv3d(1, 1, 1), name)
