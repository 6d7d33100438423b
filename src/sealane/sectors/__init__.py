"""Sector packs: the data contracts and purposes of one sector, found by entry point."""
