"""What a PLOVER record is about: its contexts."""

PLOVER_CONTEXTS: dict[str, str] = {
    "military": "armed forces, also help to them",
    "intelligence": "secret services and information",
    "peacekeeping": "peacekeeping",
    "economic": "trade, money, development",
    "diplomatic": "diplomacy",
    "resource": "land and natural resources",
    "disease": "outbreaks of disease",
    "enviro_disaster": "environment, disasters and accidents",
    "migration": "migration and refugees",
    "humanitarian": "relief",
    "asylum": "asylum",
    "legal": "courts and law",
    "human_rights": "human rights, named as such",
    "rights_freedoms": "political rights and freedoms",
    "gender": "gender and women",
    "lgbt": "sexual minorities",
    "terrorism": "terrorism",
    "human_security": "water, food, housing, energy",
    "religion_ethnicity": "religion and ethnic groups",
    "executive": "government other than elections and parliament",
    "election": "elections",
    "legislative": "parliament",
    "cbrn": "chemical, biological, radiological, nuclear weapons",
    "cyber": "attacks and crime by computer",
    "political_institutions": "institutions, norms, parties",
    "corruption": "corruption",
    "crime": "crime",
    "illegal_drugs": "illegal drugs",
    "democracy": "democracy; only in the conversion table of 2021",
    "pro_autocracy": "steps towards autocracy; only in the conversion table of 2021",
    "historical": "the event lies in the past that a text tells of",
    "future": "the event is announced",
    "hypothetical": "the event is supposed",
    "negation": "the event is said not to have happened",
}
"""Context = what it is about (PLOVER manual 0.8, general and special contexts; words ours)."""

UNREAL_CONTEXTS = ("historical", "future", "hypothetical", "negation")
"""The contexts that say the event did not happen on its date."""
