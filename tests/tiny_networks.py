"""Overrides of train.json that make its network small enough for a test."""

from typing import Any

TWO_STAGES: dict[str, Any] = {
    "roi_size": [32, 32, 32],
    "network_def#encoder#base_filters": 8,
    "network_def#encoder#blocks": [1, 1],
    "network_def#encoder#pool_size": 2,
    "network_def#encoder#pool_channels": 4,
    "network_def#decoder#channels": [16, 8],
}
THREE_STAGES: dict[str, Any] = {
    "roi_size": [32, 32, 32],
    "network_def#encoder#base_filters": 4,
    "network_def#encoder#blocks": [1, 1, 1],
    "network_def#encoder#norm_groups": 4,
    "network_def#encoder#pool_size": 2,
    "network_def#encoder#pool_channels": 4,
    "network_def#encoder#hidden_size": 8,
    "network_def#decoder#channels": [8, 8, 8],
    "network_def#decoder#norm_groups": 4,
}
