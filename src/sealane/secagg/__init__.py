"""Secure aggregation: encodings, transcript, messages and the two roles, as pure state machines."""
