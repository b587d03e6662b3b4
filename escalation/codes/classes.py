"""The common classes of incidents, to which the codes of every source are mapped."""

from escalation.codes.spelling import nearest

FAMILIES: dict[str, dict[str, str]] = {
    "armed force": {
        "armed clash": "Armed sides fight, or military force is used and nothing tells how.",
        "armed attack": "One side attacks with weapons; also assassinations.",
        "air or drone strike": "Weapons used from the air, manned or not.",
        "shelling": "Artillery, tanks, mortars, missiles.",
        "bombing": "Explosives that were placed, carried, driven or thrown.",
        "unconventional weapon": "Chemical, biological, radiological or nuclear weapons.",
        "violence against civilians": "Violence against people who do not fight.",
        "abduction": "People are abducted or held; hijackings.",
        "territory taken": "Ground changes hands without a fight told apart.",
    },
    "unrest": {
        "protest": "People protest without violence: rallies, strikes, boycotts, obstruction.",
        "riot": "Protesters or mobs use violence.",
    },
    "coercion": {
        "arrest": "People are arrested or charged.",
        "restriction": "Blockades, curfews, bans, deportations.",
        "property seized or destroyed": "Property is confiscated, looted or destroyed.",
        "sanction": "Relations, aid or trade are cut; envoys or observers are sent away.",
        "show of force": "Troops, police or weapons are made ready.",
    },
    "conflict in words": {
        "threat": "A threat or an ultimatum.",
        "demand": "A demand or an order.",
        "accusation": "Blame, official complaint (demarche), investigation, lawsuit.",
        "refusal": "A proposal, request or demand is rejected.",
    },
    "cooperation in words": {
        "statement": "A statement or an appeal.",
        "diplomatic contact": "Talks, visits, mediation.",
        "agreement or support": "Agreement, promise, praise, recognition.",
    },
    "cooperation in deeds": {
        "cooperation": "Work together in trade, arms, courts or intelligence.",
        "aid": "Money, arms, relief, asylum.",
        "concession": "Release, return, ceasefire, withdrawal, easing of measures.",
    },
    "other": {"other": "What the source tells apart and no class above holds."},
}
"""Common classes by family, each with its meaning.

A class says what was done, not who did it or why: actors, quad class and the source's own code say
the rest. "Armed clash" and "armed attack" are the least sharp border, since some sources do not
tell who attacked; their family holds both.
"""

INCIDENT_CLASSES: dict[str, str] = {
    name: meaning for family in FAMILIES.values() for name, meaning in family.items()
}
"""Common class = its meaning."""

FAMILY_OF: dict[str, str] = {name: family for family, names in FAMILIES.items() for name in names}
"""Common class = its family."""

SOURCE_WORDS: dict[str, str] = {
    "state-based": "armed clash",
    "non-state": "armed clash",
    "one-sided": "violence against civilians",
}
"""A source's own word in ``Incidents.incident_class`` = the common class it counts as.

UCDP's three types of violence keep their names. A state-based or non-state event is fighting
between two organised sides, whichever attacked (UCDP GED codebook).
"""


def class_words(word: str) -> frozenset[str]:
    """The words in a column of classes that a class, or a family of classes, stands for.

    Parameters
    ----------
    word : str
        A common class, a family, or any other word, which stands for itself; case does not count.

    Examples
    --------
    >>> sorted(class_words("armed clash"))
    ['armed clash', 'non-state', 'state-based']
    >>> "riot" in class_words("unrest"), class_words("Raid")
    (True, frozenset({'raid'}))
    """
    fold = " ".join(word.split()).casefold()
    members = {fold, *FAMILIES.get(fold, {})}
    members |= {theirs for theirs, ours in SOURCE_WORDS.items() if ours in members}
    return frozenset(members)


def common_class(word: str) -> str:
    """The common class of a word in a column of classes.

    Raises
    ------
    ValueError
        If it is none, nor a source's word for one.

    Examples
    --------
    >>> common_class("one-sided"), common_class("Shelling")
    ('violence against civilians', 'shelling')
    """
    fold = " ".join(word.split()).casefold()
    if fold in INCIDENT_CLASSES:
        return fold
    if fold in SOURCE_WORDS:
        return SOURCE_WORDS[fold]
    near = nearest(fold, [*INCIDENT_CLASSES, *SOURCE_WORDS])
    raise ValueError(
        f"{word!r} is no class of incidents" + (f", the nearest is {near!r}" if near else "")
    )
