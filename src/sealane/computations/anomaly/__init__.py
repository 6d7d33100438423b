"""Rows that stand apart, found without labels."""
