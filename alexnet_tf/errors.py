"""What is the user's to mend."""


class UserError(Exception):
    """Bad input. Its message is a sentence for a person: which file, what was wrong, what to do.

    The command lines print it without a traceback and exit with 2.
    """


class WeightsError(UserError):
    """A file of weights that cannot be used."""
