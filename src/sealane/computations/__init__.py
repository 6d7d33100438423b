"""Computations: named coroutines that every node of a run executes on its own rows."""
