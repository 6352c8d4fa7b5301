"""Arguments and options that several commands share, with their help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starters.client.answers import Format, Output

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="A name of the inventory (orders, mymaster, api, aiagent-db) or of a node, a workflow ID (pods/api), a run ID,"
        " or WORKFLOW_ID/RUN_ID.",
        show_default=False,
    ),
]
Cluster = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        help="Its name in the inventory: a PostgreSQL cluster (orders), a Redis master (mymaster), a workload (api),"
        " a database on Flexible Servers (aiagent-db), a public name (aiagent), an application gateway (aiagent-appgw),"
        " a region (eastus); or the name of a node.",
    ),
]
Node = Annotated[str, typer.Argument(metavar="NODE", help="The name of the node that is drained.", show_default=False)]
Procedure = Annotated[
    str,
    typer.Argument(
        metavar="PROCEDURE",
        help="postgres-failover (promote a standby), postgres-rollback (take a promotion back), postgres-rejoin (make a"
        " member follow again), postgres-adopt (take over a pair that runs without gates), redis-failover (promote a"
        " replica), pod-failover (replace a workload's broken pods), node-failover (drain a node after moving its"
        " hosted leaders), postgres-region-failover (promote the Flexible Server in the other region), dns-failover (move"
        " the traffic of a public name to another region), gateway-failover (take unhealthy backends out of an"
        " application gateway, put healthy ones in), region-failover (move databases, application and traffic of a"
        " region to another one), region-failback (return to a region that was left), region-fence (fence a region that"
        " was left, when it returns) or region-recovery (make the pair redundant again after a region was left).",
    ),
]
Detected = Annotated[
    str | None,
    typer.Argument(metavar="[TARGET]", help="orders, or postgres/orders. Default: all.", show_default=False),
]
Checked = Annotated[
    str | None,
    typer.Argument(metavar="[TARGET]", help="orders, or postgres/orders. Default: what is not ready.", show_default=False),
]
Now = Annotated[bool, typer.Option("--now", help="Make a pass now, and wait for it.")]
NoticeTarget = Annotated[
    str,
    typer.Argument(metavar="[TARGET]", help="A target of notifications in the inventory. Default: all.", show_default=False),
]
OneDetection = Annotated[str, typer.Argument(metavar="TARGET", help="orders, or postgres/orders.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Without TARGET: stop all without asking.")]
Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="planned|forced|lossless|discard",
        help="Failover: planned (the old leader is alive; no acknowledged write is lost; the default) or forced (the old"
        " leader or node has failed; promotes only after it is confirmed stopped). postgres-rollback: lossless (the"
        " default) or discard (lossy: transactions since the promotion are lost).",
        show_default=False,
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        metavar="MEMBER",
        help="Promote this member, or Flexible Server. Default: the best standby (postgres-adopt: the old primary)."
        " dns-failover: the region that is to have the traffic. region-failover: the surviving region.",
        show_default=False,
    ),
]
Member = Annotated[
    str | None,
    typer.Option(
        "--member",
        metavar="MEMBER",
        help="postgres-rejoin: the member to bring back; default: all that do not follow. redis-failover: the master to"
        " replace; refused when another one leads by now.",
        show_default=False,
    ),
]
DrillName = Annotated[
    str,
    typer.Argument(metavar="NAME", help="An entry of the inventory's calendar: failover drill list.", show_default=False),
]
Notice = Annotated[
    str | None,
    typer.Option("--notice", metavar="TEXT", help="Region: how and when customers were told.", show_default=False),
]
Passed = Annotated[bool, typer.Option("--pass/--fail", help="Your judgement.", show_default=False)]
Notes = Annotated[str, typer.Option("--notes", metavar="TEXT", help="What was seen.", show_default=False)]
Pod = Annotated[
    str | None,
    typer.Option(
        "--pod",
        metavar="POD",
        help="pod-failover: inject the fault into this pod. Default: the first that is ready.",
        show_default=False,
    ),
]
Uncordon = Annotated[
    bool,
    typer.Option("--uncordon", help="node-failover: uncordon the node at the end. Default: it stays cordoned."),
]
Attest = Annotated[
    bool,
    typer.Option(
        "--attest",
        help="Forced: confirm, under your name, that the old leader is stopped. Only when you know that its machine is"
        " powered off or deallocated: if it still runs, two servers take writes. postgres-region-failover: accept the loss"
        " of what the replica has not received, although the primary answers.",
    ),
]
Embedded = Annotated[
    bool,
    typer.Option(
        "--embedded",
        help="Break-glass: Temporal is lost. Serve the run on this machine (needs FAILOVER_ESTATE); refused while Temporal"
        " answers. After a crash the same command goes on with it.",
    ),
]
ItemKey = Annotated[
    str,
    typer.Option("--item", metavar="KEY", help="The item of the checklist that is done.", show_default=False),
]
NotDone = Annotated[bool, typer.Option("--not-done", help="The item is not done, or you take back that it is.")]
Stopped = Annotated[
    str,
    typer.Option(
        "--member",
        metavar="MEMBER",
        help="The old leader (or the lost node) that is stopped; it must be named.",
        show_default=False,
    ),
]
MaxBytes = Annotated[
    str | None,
    typer.Option(
        "--max-bytes",
        metavar="SIZE",
        help="Rollback, --mode discard: at most this much WAL since the promotion may be lost, for example 1MiB.",
        show_default=False,
    ),
]
MaxTransactions = Annotated[
    int | None,
    typer.Option(
        "--max-transactions",
        metavar="N",
        help="Rollback, --mode discard: at most this many transactions since the promotion may be lost.",
        show_default=False,
    ),
]
DownSince = Annotated[
    str | None,
    typer.Option(
        "--down-since",
        metavar="TIME",
        help="postgres-region-failover and region-failover, --mode forced: when the primary stopped working, with its zone"
        " (2026-11-29T02:14:00Z). What it committed before and the replica does not have is missing.",
        show_default=False,
    ),
]
MaxMissing = Annotated[
    str | None,
    typer.Option(
        "--max-missing",
        metavar="DURATION",
        help="postgres-region-failover, --mode forced: commits of at most this much time may be missing (30m), instead of"
        " the inventory's limit.",
        show_default=False,
    ),
]
Confirm = Annotated[
    str | None,
    typer.Option(
        "--confirm",
        metavar="TEXT",
        help="region-failover: ACTIVATE DR; region-failback: FAIL BACK. Typed as it stands here.",
        show_default=False,
    ),
]
Repairs = Annotated[
    str | None,
    typer.Option(
        "--repairs",
        metavar="RUN",
        help="region-recovery: the run ID of the region-failover after which the pair is made redundant again.",
        show_default=False,
    ),
]
By = Annotated[
    str,
    typer.Option(
        "--by", metavar="NAME", envvar="FAILOVER_BY", help="Your name, as the inventory spells it.", show_default=False
    ),
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why you ask for it; stands in the report.", show_default=False)
]
Leader = Annotated[
    str | None,
    typer.Option(
        "--leader", metavar="MEMBER", help="The member that was the primary; refused if it was not.", show_default=False
    ),
]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Only show what would happen; changes nothing.")]
For = Annotated[
    str | None,
    typer.Option("--for", metavar="DURATION", help="How long: 2h, 90m, 1d12h. At most 7 days.", show_default=False),
]
KeptMember = Annotated[
    str | None, typer.Option("--member", metavar="MEMBER", help="Only what this member keeps aside.", show_default=False)
]
Remove = Annotated[
    str | None, typer.Option("--remove", metavar="NAME", help="Delete this one thing, for good.", show_default=False)
]
LastLeader = Annotated[
    str | None, typer.Option("--leader", metavar="MEMBER", help="Where none runs as primary: who led last.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be changed.")]
Off = Annotated[bool, typer.Option("--off", help="End the pause.")]
OutputOption = Annotated[
    Output,
    typer.Option(
        "--output",
        "-o",
        metavar="text|json",
        help="json: exactly one JSON document on stdout. About a run it always has exit_code, workflow, workflow_id,"
        " run_id, outcome, phase, digest and status (null where there is none), and error where there is one.",
        show_default=False,
    ),
]
PlanDigest = Annotated[
    str | None,
    typer.Option(
        "--plan",
        metavar="DIGEST",
        help="Digest of the plan that you have looked at (failover status TARGET shows both).",
        show_default=False,
    ),
]
Role = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", help="Your role, if you hold more than one that is needed.", show_default=False),
]
Anyway = Annotated[bool, typer.Option("--anyway", help="Hold it even where that keeps clients from being served.")]
Step = Annotated[
    str, typer.Argument(metavar="STEP", help="A step that failover status shows, for example ready or traffic/NAME.")
]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar="FAILOVER_KEY",
        help="Sign it: your SSH private key, or the .pub of one in your ssh-agent or on a token.",
        show_default=False,
    ),
]
Printed = Annotated[
    bool, typer.Option("--print", help="Print what to paste into the Temporal UI as the update of that name; send nothing.")
]
Note = Annotated[
    str, typer.Option("--note", metavar="TEXT", help="How you know, or why; stands in the report.", show_default=False)
]
AnyTarget = Annotated[
    str | None,
    typer.Argument(metavar="[TARGET]", help="As for follow. Default: all open runs.", show_default=False),
]
OnlyCluster = Annotated[
    str | None,
    typer.Argument(
        metavar="[TARGET]",
        help="Only this one: a cluster, master or workload of the inventory. Default: all.",
        show_default=False,
    ),
]
RunOption = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="A name of the inventory (its last run), a run ID, or WORKFLOW_ID/RUN_ID.",
        show_default=False,
    ),
]
Follow = Annotated[
    bool | None,
    typer.Option(
        "--follow/--no-follow",
        help="Show the run until it ends (default on a terminal), or return once it has begun.",
        show_default=False,
    ),
]
OldFollow = Annotated[bool | None, typer.Option("--watch/--no-watch", hidden=True)]
"""Its name before."""
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        help="Follow for at most this long (90s, 5m). If the run has not ended then, it goes on, and the command ends with"
        " exit code 4 if the run waits for people, else 1.",
        show_default=False,
    ),
]
HistoryFile = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="Read a kept history.json instead of asking Temporal.", show_default=False),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="text|markdown|html|json",
        help="Default: text, or what the ending of --write says.",
        show_default=False,
    ),
]
WriteTo = Annotated[
    Path | None,
    typer.Option("--write", metavar="FILE", help="Write the report to FILE (.md, .html, .pdf, .json).", show_default=False),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many, newest first.")]
Plans = Annotated[bool, typer.Option("--plans", help="List plan runs too.")]
EvidenceFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        help="The folder with the records of drills. Default: evidence below the inventory's records.",
        show_default=False,
    ),
]
PublicKeys = Annotated[
    Path | None,
    typer.Option(
        "--keys", metavar="FILE", help="Public keys that count, one per line. Default: the inventory's.", show_default=False
    ),
]
Noted = Annotated[
    str | None,
    typer.Option(
        "--noted",
        metavar="SHA256",
        help="The hash of a record that must be there, as an earlier summary names it: finds records that are missing at"
        " the end.",
        show_default=False,
    ),
]
EstateFile = Annotated[
    Path | None,
    typer.Option("--estate", metavar="FILE", envvar="FAILOVER_ESTATE", help="The inventory file.", show_default=False),
]
Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="For example 2026-11.", show_default=False)]
Year = Annotated[str | None, typer.Option("--year", metavar="YYYY", help="For example 2026.", show_default=False)]
WriteHtml = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write it to FILE as HTML.", show_default=False)
]
WritePdf = Annotated[
    Path | None,
    typer.Option(
        "--pdf", metavar="FILE", help="Write it to FILE as PDF; needs pip install 'failover[pdf]'.", show_default=False
    ),
]
Font = Annotated[
    Path | None,
    typer.Option(
        "--font", metavar="FILE", help="PDF: a font with all characters. Default: one that is installed.", show_default=False
    ),
]
