"""Differential privacy: what a release costs, worked out from agreed numbers alone."""
