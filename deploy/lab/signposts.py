"""Where to look in a running lab, and how to speak to it from a shell."""

from __future__ import annotations

from deploy.lab.names import Lab


def environment(lab: Lab) -> dict[str, str]:
    """Return the variables with which ``failover``, ``temporal`` and ``kubectl`` find this lab."""
    return {"TEMPORAL_ADDRESS": f"127.0.0.1:{lab.ports['temporal']}", "KUBECONFIG": str(lab.kubeconfig)}


def write_environment(lab: Lab) -> None:
    """Write them to ``environment`` in the lab's home, for ``./run failover`` and for a shell's ``source``."""
    lines = [f"export {key}={value}" for key, value in environment(lab).items()]
    (lab.home / "environment").write_text("\n".join(lines) + "\n", encoding="utf-8")


def signposts(lab: Lab) -> str:
    """Return the lines to print."""
    speak = f". {lab.home}/environment && ./run failover" if lab.option else "./run failover"
    return f"""
  Temporal UI       http://127.0.0.1:{lab.ports["ui"]}
  look around       {speak} doctor · {speak} history · . {lab.home}/environment && kubectl get pods -A
  move the database {speak} start postgres-failover orders --by mona   (then: approve orders --by dana)
  break something   ./run failover lab break primary{lab.option} · heal{lab.option}
  take it down      ./run failover lab down{lab.option}"""
