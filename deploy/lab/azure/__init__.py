"""Azure, as far as a failover needs it, on one machine: Resource Manager that the real SDK talks to unchanged.

``server`` is the core and knows no resource type: it reads paths, checks token, role, api-version and form, keeps the log
and carries out the faults that were ordered. ``flexible`` is the first provider: PostgreSQL Flexible Server, with real
PostgreSQL servers behind it (``postgres_servers``) and a real name server in front of them (``names``).
"""
