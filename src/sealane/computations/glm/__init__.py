"""Generalised linear models by iteratively reweighted least squares on secure sums."""
