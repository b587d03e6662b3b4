"""The columns of a hand-coded file: what each means, and what may stand in it."""

from dataclasses import dataclass

from escalation.agreement import Level
from escalation.codes import CERTAINTIES
from escalation.incidents import PLACE_PRECISIONS

DATE, COUNT, DEGREES = "YYYY-MM-DD", "a whole number of at least 0", "degrees, as 34.53"


@dataclass(frozen=True)
class Column:
    """One column of a hand-coded file.

    Parameters
    ----------
    name : str
    meaning : str
    expected : str
        What a cell holds, in a few words.
    example : str
        An invented cell.
    level : {"nominal", "ordinal", "interval", "ratio"} or None
        How two coders' values are compared; None if they are not.
    needed : bool
        Whether every row must have it.
    order : tuple of str
        The words that may stand there, in their order, if it is such a column.
    """

    name: str
    meaning: str
    expected: str
    example: str
    level: Level | None = "nominal"
    needed: bool = False
    order: tuple[str, ...] = ()


def _words(options: tuple[str, ...]) -> str:
    return f"one of {', '.join(options)}"


COLUMNS: tuple[Column, ...] = (
    Column("id", "A name of the row.", "text that no other row has", "n-001", None, True),
    Column("date", "The first day on which it may have happened.", DATE, "2031-05-04",
           "interval", True),
    Column("date_latest", "The last such day; the same day, or blank, if the day is known.",
           f"{DATE}, not before date", "2031-05-06", "interval"),
    Column("source", "Who acted, or is said to have acted.", "an actor", "Northland", needed=True),
    Column("target", "Whom the act was directed at.", "an actor", "Southland militants",
           needed=True),
    Column("source_country", "The nationality of the source, not where it stood.", "a country",
           "Northland"),
    Column("target_country", "The nationality of the target.", "a country", "Southland"),
    Column("code", "The kind of act: the most special CAMEO code that the text bears out.",
           "a CAMEO code, with its leading zero", "195"),
    Column("plover", "The PLOVER event type of the same act; blank where PLOVER has none.",
           "a PLOVER event type", "ASSAULT"),
    Column("plover_mode", "Its mode, if one fits.", "a mode of that PLOVER type", "heavy-weapons"),
    Column("incident_class", "Its class in words: a common class, or a word of the study.",
           "a class of incidents", "air or drone strike"),
    Column("country", "The country in which it happened.", "a country", "Southland"),
    Column("province", "The first-level unit of that country.", "text", "Hill Province"),
    Column("place", "Town, village or site, as far as it is known.", "text", "Ford"),
    Column("place_precision", "How exactly the place is known.", _words(PLACE_PRECISIONS), "place",
           "ordinal", order=PLACE_PRECISIONS),
    Column("latitude", "Degrees north (WGS 84).", DEGREES, "31.5", "interval"),
    Column("longitude", "Degrees east (WGS 84).", DEGREES, "-71.25", "interval"),
    Column("deaths_low", "People killed: the least that the text allows.",
           f"{COUNT}, not above the others", "0", "ratio"),
    Column("deaths_best", "The figure that the text gives; blank if it gives none.",
           f"{COUNT}, from low to high", "2", "ratio"),
    Column("deaths_high", "The most that the text allows; blank if it sets no bound.",
           f"{COUNT}, not below the others", "3", "ratio"),
    Column("certainty", "How sure it is that the source did it.", _words(CERTAINTIES), "alleged",
           "ordinal", order=CERTAINTIES),
    Column("claimed_by", "Who says so, where it is alleged or denied.", "an actor", "Southland"),
    Column("dyad", "The name of the pair, if the study uses such names.", "text", ""),
    Column("directed", "Whether it is known who acted; false: the two are just the sides.",
           "true or false", "true"),
    Column("clarity", "1: one event. 2: a report that sums up several.", "1 or 2", "1", "ordinal"),
    Column("reports", "Reports on which the row rests.", COUNT, "1", "ratio"),
    Column("reported_on", "The day of the first report.", DATE, "2031-05-06", "interval"),
    Column("note", "The coder's reason, in the coder's own words.", "text",
           "Two reports; the day is the first one's", None),
)  # fmt: skip
"""In the order of the template: those of ``Incidents.table``, PLOVER's, and a note."""

BY_NAME = {column.name: column for column in COLUMNS}

CERTAINTY_MEANS = {
    "confirmed": "both sides say so, or the act was public, or the actor says so itself",
    "reported": "the text says so in its own voice, and nobody is said to dispute it",
    "alleged": "one side says that the other did it, and the other does not confirm it",
    "denied": "the one who is said to have done it denies it",
}

PRECISION_MEANS = {
    "place": "the named place itself",
    "near": "a place close by, within about 25 km",
    "district": "a unit below the province",
    "province": "the first-level unit of the country",
    "country": "no more than the country",
}

DEATHS_MEAN = (
    ("a number", "it", "it", "it"),
    ("a number, with *reportedly*", "0", "it", "it"),
    ("*at least* a number", "it", "it", "blank"),
    ("*up to* a number", "0", "blank", "it"),
    ("*several*, *a few*", "3", "blank", "9"),
    ("*dozens*", "24", "blank", "99"),
    ("*scores*", "40", "blank", "99"),
    ("*hundreds*", "200", "blank", "999"),
    ("that people died, without a number", "1", "blank", "blank"),
    ("no deaths, of an act of words", "0", "0", "0"),
)
"""What a text says = low, best, high. The bounds of vague words are a convention of this page."""
