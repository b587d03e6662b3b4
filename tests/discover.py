"""Find every concrete subclass of a base class, so that contract tests apply to all of them."""

import importlib
import inspect
import pkgutil
from types import ModuleType

import escalation


def modules(package: ModuleType = escalation) -> list[ModuleType]:
    """Import and list every module of a package, the package first."""
    found = [package]
    for entry in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not entry.name.endswith(".__main__"):
            found.append(importlib.import_module(entry.name))
    return found


def concrete[T](base: type[T], package: ModuleType) -> list[type[T]]:
    """List the concrete subclasses of ``base`` that ``package`` defines.

    Fails, with the line to add, where a subclass is missing from the package's ``__all__``:
    what is not exported there is out of reach of users and of the study file.
    """
    found = []
    for module in modules(package):
        for name, item in vars(module).items():
            if (
                inspect.isclass(item)
                and issubclass(item, base)
                and not inspect.isabstract(item)
                and item is not base
                and item.__module__ == module.__name__
                and not name.startswith("_")
            ):
                found.append(item)
    exported = getattr(package, "__all__", ())
    missing = [item for item in found if item.__name__ not in exported]
    if missing:
        lines = "\n".join(
            f'    from {item.__module__} import {item.__name__}    and "{item.__name__}" in __all__'
            for item in missing
        )
        raise AssertionError(f"add to {package.__name__}/__init__.py:\n{lines}")
    return sorted(found, key=lambda item: item.__name__)
