"""The lab: a real Kubernetes with real workloads on one Linux machine, inside namespaces of its own.

Everything of a lab's network lives in one *hub* namespace (bridge, control plane, Temporal) and one set of namespaces per
node. No lab namespace has an uplink or a default route, and the host has neither a route nor a firewall rule for lab
addresses, so no packet for them can leave the machine. The host reaches the lab through the *portal* only: a process that
listens on the host's loopback and dials from inside the hub.
"""
