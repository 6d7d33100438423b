"""Real data for Sealane's demonstrations, kept apart from the product.

The data packages load pickles and carry their own licences, so only a child process (``python -m sealane_examples``)
touches them. Importing this package, or an example's description, imports none of them.
"""
