"""The modules that a study can name."""
