"""Words in the Temporal UI: what is copied is what was written, and what a person types looks like nothing else."""

from __future__ import annotations

import pytest

from workflows.run.markdown import plain


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("postgresql-standby-0 leads orders", "postgresql-standby-0 leads orders"),
        (
            "failover drill judge orders --by NAME --pass|--fail",
            r"failover drill judge orders `--by` NAME `--pass`\|`--fail`",
        ),
        ('by: missing; give it, for example {"by": …}', 'by: missing; give it, for example `{"by": …}`'),
        ("a row in failover_tests", r"a row in failover\_tests"),
        ("fine\n\n**approved** by dana", r"fine \*\*approved\*\* by dana"),
        ("`code` <b> [link](x)", r"\`code\` \<b\> \[link\](x)"),
        ("{`}", "`{}`"),
        ("x--y, --9", "x--y, --9"),
        ("", ""),
    ],
)
def test_words_are_shown_as_they_are(said: str, shown: str) -> None:
    assert plain(said) == shown
