"""How workers and commands reach Temporal: by Temporal's own profile file and environment variables."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from workflows.run.payloads import DATA_CONVERTER

_DEFAULT_ADDRESS = "localhost:7233"


class ServerUnreachableError(Exception):
    """Temporal does not answer, or the settings for reaching it cannot be used; one sentence with the remedy."""


async def connect(runtime: Runtime | None = None) -> Client:
    """Return a connected client.

    Raises:
        ServerUnreachableError: nobody answers at the address, or the profile cannot be read.

    """
    try:
        settings = ClientConfig.load_client_connect_config()
    except RuntimeError as error:
        raise ServerUnreachableError(f"the Temporal profile cannot be used: {error}; see TEMPORAL_CONFIG_FILE") from error
    settings.setdefault("target_host", _DEFAULT_ADDRESS)
    where = settings.get("target_host")
    try:
        client = await Client.connect(**settings, data_converter=DATA_CONVERTER, runtime=runtime)
        await client.workflow_service.get_system_info(GetSystemInfoRequest())
    except (RuntimeError, RPCError, ValueError, OSError) as error:
        words = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ServerUnreachableError(
            f"Temporal does not answer at {where}: {words}; set TEMPORAL_ADDRESS, or start it (lab: ./run failover lab up)"
        ) from error
    return client
