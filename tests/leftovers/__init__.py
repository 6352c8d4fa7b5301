"""What tests start and make, and how it ends with them: also when they are killed.

Every process that a run of the tests starts carries the run's mark in its environment, and its temporary folders carry it
in their names. A keeper, a small process of its own, waits for the run's end, however it ends, and then ends and removes
whatever carries the mark. What a keeper has missed (the machine was too busy, or somebody has killed it, too) goes at the
beginning of the next run: the mark says whose it was.
"""
