"""The operator's inventory: what there is, who may approve, which figures must be met."""
