"""Arithmetic of the secure-aggregation core: modular vectors and expansion of seeds into streams."""
