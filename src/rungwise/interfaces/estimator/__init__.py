"""A classifier of images that behaves as scikit-learn's do."""

from rungwise.interfaces.estimator.classifier import ImageClassifier

__all__ = ["ImageClassifier"]
