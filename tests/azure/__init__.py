"""The emulated Azure: against Microsoft's own examples and recordings, with the real SDK, and on real PostgreSQL."""
