"""A call that is cancelled says nothing about the provider."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from app.metrics import ProviderCall


def calls() -> float:
    """Return how many calls have ended, whatever their outcome."""
    return sum(
        sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "provider_calls_total"
    )


def test_cancelled_call_has_no_outcome() -> None:
    before = calls()
    with pytest.raises(asyncio.CancelledError), ProviderCall():
        raise asyncio.CancelledError

    assert calls() == before
