"""What moves traffic: against the emulated Azure, with the real SDK."""
