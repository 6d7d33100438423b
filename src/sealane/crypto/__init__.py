"""Signatures, key agreement, labelled key derivation and sealing, all over the ``cryptography`` package."""
