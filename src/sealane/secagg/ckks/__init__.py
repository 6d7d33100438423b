"""CKKS where a product under encryption is needed: the owner of the data holds the key, another party the model.

The owner sends its features encrypted, the model's holder computes a linear model over them and sends the answer back,
the owner decrypts it. It is no way to sum between institutions; ``refusal`` says why.
"""
