"""Rungwise: train small-image classifiers one measured technique at a time."""

__version__ = "0.1.0"
