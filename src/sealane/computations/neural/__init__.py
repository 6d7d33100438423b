"""Neural networks trained over the rows of all institutions: PyTorch at the nodes, Flower on the opened sum."""
