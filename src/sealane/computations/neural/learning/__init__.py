"""Everything that needs PyTorch. Whoever is outside imports it inside a function, once the extra was found."""
