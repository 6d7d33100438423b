"""Summing by key-additive encryption over rings: one ciphertext a node, the sum of the keys shared among the nodes."""
