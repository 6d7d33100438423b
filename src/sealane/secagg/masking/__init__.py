"""Pairwise masks and a one-time self mask: the scheme for small vectors and many rounds."""
