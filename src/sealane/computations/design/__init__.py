"""From features or a formula to a public design, and from rows to its standardised matrix: for every regression."""
