"""``flower.app``: an unmodified Flower app as a computation, under a study that says ``scheme = "none"``."""
