"""What the codes of a source mean, and the common classes they are mapped to."""

from escalation.codes.certainty import CERTAINTIES, DISPUTED
from escalation.codes.classes import (
    FAMILIES,
    FAMILY_OF,
    INCIDENT_CLASSES,
    SOURCE_WORDS,
    class_words,
    common_class,
)
from escalation.codes.plover_contexts import PLOVER_CONTEXTS, UNREAL_CONTEXTS
from escalation.codes.scheme import QUADS, Code, CodeScheme, Plover
from escalation.codes.schemes import (
    ACLED,
    CAMEO,
    GDELT_QUADS,
    GTD,
    PLOVER,
    SCHEMES,
    UCDP,
    unknown_codes,
)
from escalation.codes.spelling import nearest
from escalation.codes.ucdp import UCDP_DIRECTED, UCDP_VIOLENCE

__all__ = [
    "ACLED",
    "CAMEO",
    "CERTAINTIES",
    "DISPUTED",
    "FAMILIES",
    "FAMILY_OF",
    "GDELT_QUADS",
    "GTD",
    "INCIDENT_CLASSES",
    "PLOVER",
    "PLOVER_CONTEXTS",
    "QUADS",
    "SCHEMES",
    "SOURCE_WORDS",
    "UCDP",
    "UCDP_DIRECTED",
    "UCDP_VIOLENCE",
    "UNREAL_CONTEXTS",
    "Code",
    "CodeScheme",
    "Plover",
    "class_words",
    "common_class",
    "nearest",
    "unknown_codes",
]
