"""What the gate is told over HTTP, one file a command."""
