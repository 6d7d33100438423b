"""The command line: noun, then verb; data on stdout, everything else on stderr."""
