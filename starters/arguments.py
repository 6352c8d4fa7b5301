"""Arguments and options that several commands share, with the words that ``--help`` shows."""

from __future__ import annotations

from typing import Annotated

import typer

from starters.answers import Output

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A cluster's name (orders), a workflow ID (postgres/orders), or WORKFLOW_ID/RUN_ID for one run of many.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str, typer.Argument(metavar="TARGET", help="Name of the cluster in the estate file, for example orders.")
]
Procedure = Annotated[
    str,
    typer.Argument(metavar="PROCEDURE", help="postgres-failover (move writes) or postgres-rejoin (bring a standby back)."),
]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="planned|forced",
        help="postgres-failover: planned (the primary lives; nothing is lost) or forced (it is gone). Default: planned.",
        show_default=False,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to", metavar="MEMBER", help="postgres-failover: who is to lead. Default: the best standby.", show_default=False
    ),
]
Member = Annotated[
    str | None,
    typer.Option(
        "--member",
        metavar="MEMBER",
        help="postgres-rejoin: whom to bring back. Default: all that do not follow.",
        show_default=False,
    ),
]
By = Annotated[
    str,
    typer.Option(
        "--by", metavar="NAME", envvar="FAILOVER_BY", help="Your name, as the estate file spells it.", show_default=False
    ),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the report.", show_default=False)]
OutputOption = Annotated[
    Output,
    typer.Option(
        "--output", "-o", metavar="text|json", help="json prints exactly one JSON document on stdout.", show_default=False
    ),
]
PlanDigest = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="DIGEST",
        help="Digest of the plan that you have looked at (failover status TARGET).",
        show_default=False,
    ),
]
Role = Annotated[
    str,
    typer.Option(
        "--role", metavar="ROLE", help="In which role, if you hold more than one that is needed.", show_default=False
    ),
]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Stands in the report.", show_default=False)]
