"""The exceptions whose messages are for the user, without a traceback."""


class UserError(Exception):
    """Bad input. Its message is a sentence for a person: which file, what was wrong, what to do.

    The command lines print it without a traceback and exit with 2.
    """


class BadFile(UserError):
    """A file whose content cannot be used."""


class RunError(Exception):
    """A run that failed although its input was good. The command lines exit with 1."""
