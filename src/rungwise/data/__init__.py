"""Labelled images: named sets, folders, arrays; drawn into parts; checked.

from rungwise.data import load, draw, check
"""

from rungwise.data.catalog import CATALOG, NamedSet, get, load
from rungwise.data.check import CheckReport, Duplicates, check, check_dataset, check_folder
from rungwise.data.images import Dataset, LabelledImages
from rungwise.data.parts import Parts, draw
from rungwise.data.problems import Problem
from rungwise.data.split import stratified_split
from rungwise.data.subset import class_balanced

__all__ = [
    "CATALOG",
    "CheckReport",
    "Dataset",
    "Duplicates",
    "LabelledImages",
    "NamedSet",
    "Parts",
    "Problem",
    "check",
    "check_dataset",
    "check_folder",
    "class_balanced",
    "draw",
    "get",
    "load",
    "stratified_split",
]
