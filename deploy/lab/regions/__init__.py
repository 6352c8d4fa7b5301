"""Two regions on one machine: a Kubernetes cluster of one node each, and everything between them that Azure would be."""
