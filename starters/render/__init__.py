"""Reports of runs, made from their history alone."""
