"""Settings of a worker, from ``FAILOVER_*`` variables. The connection has Temporal's own (``TEMPORAL_ADDRESS`` …)."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activities.clients.azure.access import PUBLIC
from workflows.run.models import TASK_QUEUE


class WorkerSettings(BaseSettings):
    """One worker process."""

    model_config = SettingsConfigDict(env_prefix="FAILOVER_", frozen=True)

    estate: Path
    """Path of the estate file."""
    task_queue: str = Field(default=TASK_QUEUE, min_length=1)
    witness: str = ""
    """Name of the estate's witness that this process is; it then looks, and does nothing else."""
    signing_key: str = ""
    """Reference to the secret with which workers sign what a run is told of its target; the same for all. Without it a run
    does not survive that its estate is edited and all workers are restarted."""
    evidence_key: str = ""
    """Reference to the SSH private key, without a passphrase, with which records of drills are signed. Without it they are
    not, and say so."""
    azure_endpoint: str = PUBLIC
    """Azure Resource Manager for Flexible Servers; another one only for the lab, with a token of its own."""
    azure_token: str = ""
    """Reference to the bearer of an endpoint that knows no identity of Azure's; empty: this worker's own identity."""
    azure_poll: float = Field(default=2.0, gt=0)
    """Seconds between two looks at an operation of Azure, where it names no time of its own."""
    kubectl: str = "kubectl"
    """Program that renders the overlay of a region's failover."""
    metrics: str | None = None
    """``ADDRESS:PORT`` to serve Prometheus metrics at; none are served when unset."""
    ready: Path | None = None
    """File to renew while Temporal answers, for a readiness probe that looks at its age; none when unset."""
    grace: float = Field(default=10.0, ge=0)
    """Seconds that running steps get to finish after SIGTERM; then another worker takes them over."""

    @model_validator(mode="after")
    def _azures_token_goes_to_azure(self) -> Self:
        """Refuse to send this worker's own identity's token elsewhere."""
        if not self.azure_token and self.azure_endpoint.rstrip("/") != PUBLIC:
            message = f"FAILOVER_AZURE_ENDPOINT is {self.azure_endpoint}, not {PUBLIC}: give FAILOVER_AZURE_TOKEN for it"
            raise ValueError(message)
        return self
