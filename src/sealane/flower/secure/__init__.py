"""Secure sums inside a Flower app: a mod for its client half, a grid for its server half, and what they say."""
