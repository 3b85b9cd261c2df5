"""Labelled images: named sets, folders, tables, arrays; drawn into parts; checked.

from rungwise.data import load, draw, check
"""

from rungwise.data.arrays import from_arrays
from rungwise.data.catalog import CATALOG, NamedSet, get, load, load_as_recorded
from rungwise.data.check import CheckReport, check, check_dataset
from rungwise.data.duplicates import Duplicates
from rungwise.data.images import BadFiles, Dataset, LabelledImages
from rungwise.data.parts import Parts, draw
from rungwise.data.problems import Problem
from rungwise.data.split import stratified_split
from rungwise.data.subset import class_balanced

__all__ = [
    "CATALOG",
    "BadFiles",
    "CheckReport",
    "Dataset",
    "Duplicates",
    "LabelledImages",
    "NamedSet",
    "Parts",
    "Problem",
    "check",
    "check_dataset",
    "class_balanced",
    "draw",
    "from_arrays",
    "get",
    "load",
    "load_as_recorded",
    "stratified_split",
]
