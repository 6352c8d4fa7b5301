"""``failover init``: what a cluster shows, what is asked of a person, and the estate that both make."""
