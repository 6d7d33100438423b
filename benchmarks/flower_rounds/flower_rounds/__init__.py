"""Rounds of a model without training, for Flower's own deployment."""
