"""What doctor looks at of every subject: the only package of steps that knows them all."""
