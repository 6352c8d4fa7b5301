"""The Kubernetes API: one file for each kind of object."""
