"""The ``failover`` command and the reports of runs."""
