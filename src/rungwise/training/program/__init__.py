"""A net as a program of instructions: see `program`."""

from rungwise.training.program.program import Program
from rungwise.training.program.translation import Untranslatable

__all__ = ["Program", "Untranslatable"]
