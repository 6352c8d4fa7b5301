"""The hub's network namespace and the links of the nodes to it. Nothing here touches the host's own network."""

from __future__ import annotations

from pathlib import Path

from deploy.lab.names import HUB_ADDRESS, NODES, SERVICE_RANGE, Lab, node_address, node_number, pod_range
from deploy.lab.processes import pid_of, run

_BRIDGE_MAC = "02:fa:11:0e:00:01"
"""Fixed: a bridge otherwise takes its ports' lowest address, and each change strands the neighbours' caches for seconds."""


def in_hub(lab: Lab, *command: str) -> list[str]:
    """Return ``command`` as it must be run to be inside the hub's network."""
    return ["nsenter", f"--net={lab.hub_path}", "--", *command]


def ensure_hub(lab: Lab) -> None:
    """Make the hub: a namespace with a bridge, forwarding, and a route for services that ends at the bridge."""
    if not Path(lab.hub_path).exists():
        run(["ip", "netns", "add", lab.hub])
    script = f"""
set -e
ip link set lo up
ip link show br0 >/dev/null 2>&1 || ip link add br0 address {_BRIDGE_MAC} type bridge
ip addr replace {HUB_ADDRESS}/24 dev br0
ip link set br0 up
ip route replace {SERVICE_RANGE} dev br0
sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true
"""
    run(in_hub(lab, "sh", "-c", script))


def link_node(lab: Lab, node: str, holder: int) -> None:
    """Connect the node whose first process is ``holder`` to the hub, and give it its routes (none of them default)."""
    port = f"port{node_number(node)}"
    run(in_hub(lab, "sh", "-c", f"ip link del {port} 2>/dev/null || true"))
    run(in_hub(lab, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(holder)))
    run(in_hub(lab, "sh", "-c", f"ip link set {port} master br0 && ip link set {port} up"))
    run(in_hub(lab, "ip", "route", "replace", pod_range(node), "via", node_address(node), "onlink", "dev", "br0"))
    others = "\n".join(
        f"ip route replace {pod_range(other)} via {node_address(other)} onlink dev eth0" for other in NODES if other != node
    )
    script = f"""
set -e
ip link set lo up
ip addr replace {node_address(node)}/24 dev eth0
ip link set eth0 up
ip route replace {SERVICE_RANGE} dev eth0
{others}
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
"""
    run(["nsenter", "--target", str(holder), "--net", "--", "sh", "-c", script])


def set_link(lab: Lab, node: str, *, up: bool) -> None:
    """Cut the node off, or connect it again, at the hub's end of its cable."""
    run(in_hub(lab, "ip", "link", "set", f"port{node_number(node)}", "up" if up else "down"))


def lose_packets(lab: Lab, node: str, share: float) -> None:
    """Let the node lose that share of what comes in by its cable; 0: none any more. Safe to repeat.

    By its own packet filter, since not every kernel has netem; what it sends is lost by the others, if they lose some too.
    """
    holder = pid_of(lab, node)
    if holder is None:
        return
    rule = "PREROUTING -i eth0 -m comment --comment lab-loss -m statistic --mode random --probability"
    script = f"""
iptables-save -t mangle | grep lab-loss | sed 's/^-A/-D/' | while read -r line; do iptables -t mangle $line; done
[ {share} = 0 ] || iptables -t mangle -A {rule} {share} -j DROP
"""
    run(["nsenter", "--target", str(holder), "--net", "--", "sh", "-c", script])


def remove_hub(lab: Lab) -> None:
    """Remove the hub with everything inside."""
    if Path(lab.hub_path).exists():
        run(["ip", "netns", "del", lab.hub])
