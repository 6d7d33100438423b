"""Scorecards: features cut into bins, weighed by evidence, and added up to points, on secure sums."""
