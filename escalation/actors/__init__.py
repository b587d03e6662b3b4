"""Names, aliases and codes of actors, and where each is at home."""

from escalation.actors.actor import Actor, Actors
from escalation.actors.cameo import ROLES, CameoActor, cameo_actor
from escalation.actors.countries import (
    Country,
    countries,
    country,
    country_key,
    folded,
    names_by,
    same_country,
)
from escalation.actors.homes import country_in_name
from escalation.actors.meaning import cameo_meaning
from escalation.actors.near_duplicates import near_duplicates

__all__ = [
    "ROLES",
    "Actor",
    "Actors",
    "CameoActor",
    "Country",
    "cameo_actor",
    "cameo_meaning",
    "countries",
    "country",
    "country_in_name",
    "country_key",
    "folded",
    "names_by",
    "near_duplicates",
    "same_country",
]
