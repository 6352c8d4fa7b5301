"""Reference clients for applications whose PostgreSQL or Redis may move: copy them, or do as they do (docs/clients.md)."""
