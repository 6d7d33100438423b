"""Private scoring between two nodes: the asker's features stay encrypted, the owner's model stays with it.

``owner`` answers and counts, ``asker`` encrypts and opens, ``desk`` stands between both and the stream, ``book`` is
what is on disk.
"""
