"""A computation in a child process that has its rows, its parameters and a pipe to the node, and nothing else."""
