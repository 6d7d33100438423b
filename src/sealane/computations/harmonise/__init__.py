"""``quality.harmonise``: does every institution record a column in the same unit and by the same codes?"""
