"""Writes the generated part of the chart anew: ``python -m deploy.helm``."""

from __future__ import annotations

from pathlib import Path

from deploy.helm.base import BASE, OBSERVABILITY, REGION, built, component, read
from deploy.helm.chart import chart

CHART = Path(__file__).parent / "failover"


def made() -> dict[str, str]:
    """Return path below the chart → text, from what the base is now."""
    base = built(BASE)
    return chart(base, component(OBSERVABILITY, base), read(REGION / "surviving.yaml"), read(REGION / "lost.yaml"))


def main() -> None:
    """Write all of it."""
    for path, text in made().items():
        (CHART / path).parent.mkdir(parents=True, exist_ok=True)
        (CHART / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
