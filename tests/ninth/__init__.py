"""A ninth procedure, made up: what it takes to add one is this folder and one entry in the catalog."""
