"""Draws of patients that do not move when others join the cohort."""

import hashlib


def place_in_queue(patient: str, seed: int, purpose: str = "") -> str:
    """Where a patient stands: uniform over patients, apart for each `purpose`, unmoved by who else is there."""
    return hashlib.sha256(f"{purpose}{seed}:{patient}".encode()).hexdigest()
