"""Coding by hand: columns and codebook, a template, a check, two codings beside each other."""

from escalation.coding.check import CodingCheck, check_coding
from escalation.coding.codebook import codebook
from escalation.coding.columns import COLUMNS, Column
from escalation.coding.comparison import CodingComparison, compare_codings
from escalation.coding.template import write_coding_template

__all__ = [
    "COLUMNS",
    "CodingCheck",
    "CodingComparison",
    "Column",
    "check_coding",
    "codebook",
    "compare_codings",
    "write_coding_template",
]
