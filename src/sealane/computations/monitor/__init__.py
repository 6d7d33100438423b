"""Whether a model in use still meets the rows, and the outcomes, that it was made for."""
