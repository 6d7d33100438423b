"""Gradient-boosted trees over the rows of all institutions: stock LightGBM grows them from securely summed histograms.

The steps of a run, in the order of :mod:`.fit`: what is asked for (``parameters``), own rows (``rows``), the first
counts (``screening``), bins (``bins``), and then for each tree gradients (``objectives``), histograms
(``kernels``, ``growth``), LightGBM's own search (``reference``, ``library``, ``calls``), the rule that a split must
pass (``permission``), which sums are fetched together (``foresight``), and the model file (``model_text``).
"""
