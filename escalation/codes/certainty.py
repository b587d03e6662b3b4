"""How sure it is who did it."""

CERTAINTIES = ("confirmed", "reported", "alleged", "denied")
"""How sure it is that the source actor did it, from most to least."""

DISPUTED = ("alleged", "denied")
"""The certainties of an incident whose author is disputed."""
