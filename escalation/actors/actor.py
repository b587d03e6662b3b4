"""One actor, and all actors of a study, found by any of their names and codes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from escalation.actors.countries import country, country_key, folded
from escalation.actors.homes import country_in_name

FORCES = ("Military", "Police")
"""Of a state, as ACLED names them."""


@dataclass(frozen=True)
class Actor:
    """An actor, the other names and codes that sources give it, and its home country.

    Parameters
    ----------
    name : str
        The name to show.
    aliases : tuple of str
        Other spellings; case and runs of spaces do not count.
    home : str, optional
        Country in any spelling or code that `country` knows, or in the words of the source's
        country column; None if unknown.
    codes : tuple of str
        The actor's codes in a source: CAMEO's ("PAKMIL"), UCDP's ids ("142"). A star at the end
        stands for any ending, of names too: ``"PAK*"`` are all actors of Pakistan,
        ``"Military Forces of Pakistan (*"`` those of each of its governments, as ACLED names
        them. An exact name or code goes before a star, a longer beginning before a shorter one.
    """

    name: str
    aliases: tuple[str, ...] = ()
    home: str | None = None
    codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an actor needs a name")
        for field in ("aliases", "codes"):
            value = getattr(self, field)
            if isinstance(cast(object, value), str):
                raise ValueError(f"{field} must be a tuple of names, got {value!r}")
            object.__setattr__(self, field, tuple(value))
        if "*" in {code.strip() for code in self.codes}:
            raise ValueError(f"actor {self.name!r}: a code of '*' alone would be every actor")

    @classmethod
    def government(cls, of: str, name: str | None = None) -> "Actor":
        """A country's state: its government, military and police, under all of their codes.

        Parameters
        ----------
        of : str
            The country, in any spelling or code that `country` knows.
        name : str, optional
            The name to show; the country's if None.

        Raises
        ------
        ValueError
            If there is no such country.

        Examples
        --------
        >>> state = Actor.government("PAK")
        >>> state.name, state.home, state.codes[:5]
        ('Pakistan', 'Pakistan', ('PAK', 'PAKGOV*', 'PAKMIL*', 'PAKCOP*', 'PAKSPY*'))
        >>> Actors((state,)).canonical("Police Forces of Pakistan (2022-)")
        'Pakistan'
        """
        found = country(of)
        if found is None:
            raise ValueError(f"{of!r} is no country that the table knows by name or code")
        lands = (found.name, *found.other_names)
        titles = [f"Government of {land}" for land in lands]
        starts = dict.fromkeys(each for each in (found.alpha3, *found.cameo) if each)
        roles = ("GOV*", "MIL*", "COP*", "SPY*")
        codes = [start + role for start in starts for role in ("", *roles)]
        # ACLED's names, which go on with a unit or the years of a government in brackets.
        codes += [f"{force} Forces of {land} (*" for force in FORCES for land in lands]
        shown = name or found.name
        aliases = tuple(each for each in (*lands, *titles) if folded(each) != folded(shown))
        return cls(shown, aliases, found.name, tuple(codes))


@dataclass(frozen=True)
class Actors:
    """Actors, found by any of their names and codes.

    Raises
    ------
    ValueError
        If one name or code would belong to two actors.

    Examples
    --------
    >>> known = Actors((Actor("TTP", ("Tehrik-i-Taliban Pakistan",), home="Afghanistan"),))
    >>> known.canonical("tehrik-i-taliban  pakistan"), known.home("TTP"), known.home("LeJ")
    ('TTP', 'Afghanistan', None)
    >>> known.home("Police (India)")
    'India'
    """

    actors: tuple[Actor, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "actors", tuple(self.actors))
        for actor in self.actors:
            for name in (actor.name, *actor.aliases, *actor.codes):
                owner = self._owners[folded(name)]
                if owner.name != actor.name:
                    raise ValueError(f"{name!r} names both {actor.name!r} and {owner.name!r}")

    @cached_property
    def _owners(self) -> dict[str, Actor]:
        return {
            folded(name): actor
            for actor in self
            for name in (actor.name, *actor.aliases, *actor.codes)
        }

    @cached_property
    def _beginnings(self) -> list[tuple[str, Actor]]:
        stars = [
            (folded(code)[:-1], actor)
            for actor in self
            for code in actor.codes
            if code.strip().endswith("*")
        ]
        return sorted(stars, key=lambda star: -len(star[0]))

    def find(self, name: str) -> Actor | None:
        """The actor of that name, alias or code, or None."""
        fold = folded(name)
        exact = self._owners.get(fold)
        if exact is not None or not self._beginnings:
            return exact
        return next((actor for start, actor in self._beginnings if fold.startswith(start)), None)

    @cached_property
    def _keys(self) -> dict[str, str]:
        return {}

    def key(self, name: str) -> str:
        """What all names and codes of one actor share, to compare by; kept, as it is asked often.

        Examples
        --------
        >>> known = Actors((Actor("TTP", ("Tehrik-i-Taliban Pakistan",)),))
        >>> known.key("ttp") == known.key("Tehrik-i-Taliban  Pakistan"), known.key("LeJ")
        (True, 'lej')
        """
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = folded(self.canonical(name))
        return key

    def canonical(self, name: str) -> str:
        """The name to show; an unknown one is returned as it is, without needless spaces."""
        actor = self.find(name)
        return actor.name if actor else " ".join(name.split())

    @cached_property
    def _homes(self) -> dict[str, tuple[str | None, bool]]:
        return {}

    def home_key(self, name: str) -> tuple[str | None, bool]:
        """The home to compare by, as `country_key` gives it, and whether the actor's entry says it.

        Kept, as it is asked often. The home is None if unknown.
        """
        known = self._homes.get(name)
        if known is None:
            actor, home = self.find(name), self.home(name)
            said = actor is not None and actor.home is not None
            known = self._homes[name] = (country_key(home) if home else None, said)
        return known

    def home(self, name: str) -> str | None:
        """Country in which the actor is at home, or None if unknown.

        What the actor's entry says; without a word there, what the name itself tells: see
        `country_in_name`.
        """
        actor = self.find(name)
        if actor is None:
            return country_in_name(name)
        if actor.home is not None:
            return actor.home
        told = (country_in_name(each) for each in (name, actor.name, *actor.aliases))
        return next((land for land in told if land), None)

    def __iter__(self) -> Iterator[Actor]:
        return iter(self.actors)

    def __len__(self) -> int:
        return len(self.actors)
