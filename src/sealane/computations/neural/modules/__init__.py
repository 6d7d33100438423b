"""The modules that a study can name. Everything in this package imports torch; import it late."""
