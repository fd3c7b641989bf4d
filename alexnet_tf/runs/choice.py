"""The default run: the one that was chosen, or the latest good one."""

from contextlib import suppress
from pathlib import Path

from alexnet_tf import starter
from alexnet_tf.errors import UserError
from alexnet_tf.runs.accuracy import read_accuracy
from alexnet_tf.runs.run import DEFAULT_RUN, STARTER_RUN, Run, finished_run
from alexnet_tf.system.files import read_json, write_json
from alexnet_tf.system.program import command
from alexnet_tf.system.text import printable

# In the working directory: the path of the run that `use` has chosen.
CHOICE = Path("default_run.json")
# Entry of config.json: a number that is larger than those of all runs finished before.
FINISHED = "finished"
# Classes of a run that are named in a message.
MOST_CLASSES = 5


def finished_runs() -> list[Run]:
    """List the finished runs in ./train_alexnet and ./runs/*, the one finished last first."""
    runs = [Run(path) for path in (DEFAULT_RUN, *sorted(Path("runs").glob("*")))]
    return sorted((run for run in runs if run.model_path.is_file()), key=_when, reverse=True)


def number_finished(run: Run) -> None:
    """Number `run` in its config.json as the latest of those finished here."""
    latest = max([_when(each)[0] for each in finished_runs()], default=0)
    write_json(run.config_path, read_json(run.config_path) | {FINISHED: latest + 1})


def _when(run: Run) -> tuple[int, float]:
    """Return a key that is larger for runs finished later; earlier versions' have only a date."""
    number = 0
    with suppress(UserError):
        config = read_json(run.config_path)
        if isinstance(config, dict) and type(config.get(FINISHED)) is int:
            number = config[FINISHED]
    return number, run.model_path.stat().st_mtime


def choose(directory: str | None) -> None:
    """Make the finished run in `directory`, or UserError, the default here; None: the latest."""
    if directory is None:
        return CHOICE.unlink(missing_ok=True)
    finished_run(directory)
    write_json(CHOICE, {"run": directory})


def chosen_run() -> Run | None:
    """Return the run that was chosen here; UserError if it is no longer there."""
    if not CHOICE.is_file():
        return None
    content = read_json(CHOICE)
    try:
        return finished_run(str(content["run"]))
    except (UserError, TypeError, KeyError) as error:
        raise UserError(
            f"{CHOICE}: does not name a finished run ({error}); `{command('use')} RUN` chooses "
            f"one, `{command('use')} --latest` whichever was finished last"
        ) from error


def default_run() -> tuple[Run, list[str]]:
    """Return the default run, and sentences that name it. It is the chosen one, or else the one
    finished last; if that is hardly better than chance, the last better one of the same classes;
    without any run the starter."""
    if run := chosen_run():
        return run, [f"using {described(run)}, chosen by `{command('use')}`"]
    runs = finished_runs()
    if not runs:
        return STARTER_RUN, [starter.warning()]
    known = _classes(runs[0])
    good = [run for run in runs if _is_good(run) and sorted(_classes(run)) == sorted(known)]
    run = next(iter(good), runs[0])
    said = [f"using {described(run)}"]
    if not _is_good(run):
        said.append(f"warning: {run.directory} may be no better than chance")
    elif run is not runs[0]:
        said.append(
            f"warning: {described(runs[0])} was finished later, but may be no better than chance; "
            f"--run {runs[0].directory} uses it"
        )
    for before in runs[runs.index(run) + 1 :][:1]:
        if sorted(_classes(before)) != sorted(known):
            said.append(
                f"warning: {described(before)}, finished before it, knows other classes; "
                f"`{command('use')} RUN` chooses"
            )
    return run, said


def described(run: Run) -> str:
    """Name a finished run, with its classes and its accuracy."""
    classes = _classes(run)
    names = ", ".join(map(printable, classes[:MOST_CLASSES]))
    more = f" and {len(classes) - MOST_CLASSES} more" if len(classes) > MOST_CLASSES else ""
    accuracy = read_accuracy(run)
    return f"{run.directory} ({names}{more}; {accuracy or 'accuracy not known'})"


def _classes(run: Run) -> list[str]:
    with suppress(UserError):
        return run.read_config()["classes"]
    return []


def _is_good(run: Run) -> bool:
    """Check whether `run` is better than chance, as far as it is known."""
    accuracy = read_accuracy(run)
    return accuracy is None or accuracy.is_better_than_chance()
