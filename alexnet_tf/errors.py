"""The exceptions whose messages are for the user, without a traceback."""

from collections.abc import Callable


class UserError(Exception):
    """Bad input. Its message is a sentence for a person: which file, what was wrong, what to do.

    The command lines print it without a traceback and exit with 2.

    Example:
        >>> try:
        ...     alexnet_tf.load_run("runs/none")
        ... except alexnet_tf.UserError as error:
        ...     print(error)
        runs/none: ...
    """


def tell_all(*checks: Callable[[], object]) -> None:
    """Run every check; raise one UserError that says whatever they raise as UserErrors."""
    wrong = []
    for check in checks:
        try:
            check()
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("\n".join(wrong))


class BadFile(UserError):
    """A file whose content cannot be used."""


class RunError(Exception):
    """A run that failed although its input was good. The command lines exit with 1.

    Example:
        >>> try:
        ...     run = alexnet_tf.train("photos", run="runs/mine", weights="starter")
        ... except alexnet_tf.RunError as error:
        ...     print(f"{error}; the same call resumes")
    """
