"""UCDP's types of violence."""

UCDP_VIOLENCE = {"1": "state-based", "2": "non-state", "3": "one-sided"}
"""UCDP ``type_of_violence``: class in words (Sundberg & Melander 2013, and the GED codebook)."""

UCDP_DIRECTED = {"1": False, "2": False, "3": True}
"""Whether ``side_a`` is known to have attacked ``side_b``.

Only in one-sided violence, where side A is the actor and side B the civilians. In state-based
dyads side A is the government whoever attacked, in non-state ones the sides are in no such order.
"""
