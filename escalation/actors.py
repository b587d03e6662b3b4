"""Names and aliases of actors, and where each is at home."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import cast


def folded(name: str) -> str:
    """Fold a name for comparison: case and runs of spaces do not count."""
    return " ".join(name.split()).casefold()


@dataclass(frozen=True)
class Actor:
    """An actor, the other names that sources give it, and the country it is at home in.

    Parameters
    ----------
    name : str
        The name to show.
    aliases : tuple of str
        Other spellings; case and runs of spaces do not count.
    home : str, optional
        Country in the words of the source's country column; None if unknown.
    """

    name: str
    aliases: tuple[str, ...] = ()
    home: str | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("an actor needs a name")
        if isinstance(cast(object, self.aliases), str):
            raise ValueError(f"aliases must be a tuple of names, got {self.aliases!r}")
        object.__setattr__(self, "aliases", tuple(self.aliases))


@dataclass(frozen=True)
class Actors:
    """Actors, found by any of their names.

    Raises
    ------
    ValueError
        If one name would belong to two actors.

    Examples
    --------
    >>> known = Actors((Actor("TTP", ("Tehrik-i-Taliban Pakistan",), home="Afghanistan"),))
    >>> known.canonical("tehrik-i-taliban  pakistan"), known.home("TTP"), known.home("LeJ")
    ('TTP', 'Afghanistan', None)
    """

    actors: tuple[Actor, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "actors", tuple(self.actors))
        for actor in self.actors:
            for name in (actor.name, *actor.aliases):
                owner = self._owners[folded(name)]
                if owner.name != actor.name:
                    raise ValueError(f"{name!r} names both {actor.name!r} and {owner.name!r}")

    @cached_property
    def _owners(self) -> dict[str, Actor]:
        return {folded(name): actor for actor in self for name in (actor.name, *actor.aliases)}

    def find(self, name: str) -> Actor | None:
        """The actor of that name or alias, or None."""
        return self._owners.get(folded(name))

    def canonical(self, name: str) -> str:
        """The name to show; an unknown one is returned as it is, without needless spaces."""
        actor = self.find(name)
        return actor.name if actor else " ".join(name.split())

    def home(self, name: str) -> str | None:
        """Country in which the actor is at home, or None if unknown."""
        actor = self.find(name)
        return actor.home if actor else None

    def __iter__(self) -> Iterator[Actor]:
        return iter(self.actors)

    def __len__(self) -> int:
        return len(self.actors)
