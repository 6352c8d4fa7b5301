"""One file a command of ``failover``."""
