"""What a workflow's source can ask of Temporal, and in which order, found without running it.

``names`` finds out what a name in the source stands for, ``calls`` what a call calls. ``routines`` follows the source from a
workflow's ``run`` through every function that it calls, ``statements`` each of their lines. ``commands`` knows which calls
reach the server, ``graph`` reads off what may follow what.
"""
