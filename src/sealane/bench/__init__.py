"""Measurements of secure sums, ours and others', each in a process of its own and on the same vectors."""
