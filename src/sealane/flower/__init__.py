"""Flower apps over Sealane, and Sealane's encryption in Flower apps."""
