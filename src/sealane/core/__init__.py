"""Ids, canonical bytes, clock, entropy and secrets: what everything else is made of."""
