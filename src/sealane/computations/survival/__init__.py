"""Time to an event over several institutions: curves and models on one public grid of times."""
