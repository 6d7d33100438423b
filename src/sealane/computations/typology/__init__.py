"""Typologies of money laundering, counted over institutions by accounts."""
