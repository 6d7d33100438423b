"""The node: an institution's own process, with its data, its register of decisions and its side of every run."""
