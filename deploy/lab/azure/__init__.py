"""Azure, as far as a failover needs it, on one machine: Resource Manager that the real SDK talks to unchanged.

``server`` is the core and knows no resource type: it reads paths, checks token, role, api-version and form, keeps the log
and carries out the faults that were ordered. The providers:

* ``flexible``: PostgreSQL Flexible Server, with real PostgreSQL servers behind it (``postgres_servers``) and a real name
  server in front of them (``names``);
* ``front_door``: routes and origins, which an edge follows by two clocks (``front_door_edge``); in the lab the edge is a
  HAProxy (``deploy.lab.regions.edge``);
* ``network``: Traffic Manager, whose names the same name server answers, and Application Gateway, which is a HAProxy where
  ``application_gateway_proxy`` stands behind it;
* ``compute``: instances of scale sets, which are deallocated, and the quota of a location.

``probing`` asks hosts for their health, for all three that do; what it asks with is given by whoever starts the emulator.
"""
