class Rejected(Exception):
    """A row that does not become an item; str(error) is the reason, in words."""


class Unreadable(Exception):
    """The whole file is refused; str(error) is the sentence for the person who sent it."""
