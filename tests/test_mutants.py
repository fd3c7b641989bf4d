"""What `make mutants` changes, and the reasons that are kept for what changes nothing."""

from tests.tools.mutants import EQUIVALENT, ROOT, find_mutants

SOURCE = b'''"""Skip 1 + 1."""

LIMIT: Literal[7] = 3


def share(x: int = 2) -> float:
    """Skip 2."""
    if x < LIMIT and not x % -5:
        raise ValueError(f"{x + 1} is less than {LIMIT:.2f}")
    x += True
    return x * 0.5
'''
CHANGED = {
    "LIMIT: Literal[7] = 4",
    "def share(x: int = 3) -> float:",
    "if x <= LIMIT and not x % -5:",
    "if x < LIMIT or not x % -5:",
    "if x < LIMIT and x % -5:",
    "if x < LIMIT and not x * -5:",
    "if x < LIMIT and not x % +5:",
    "if x < LIMIT and not x % -6:",
    "x -= True",
    "x += False",
    "return x / 0.5",
    "return x * 1.0",
}


def test_each_operator_comparison_and_number_is_changed_but_no_words_and_no_hints():
    described = [mutant.described(SOURCE).split(" → ") for mutant in find_mutants("a.py", SOURCE)]
    assert len(described) == len(CHANGED)
    assert {after for _, after in described} == CHANGED
    assert all(before.encode() in SOURCE for before, _ in described)


def test_lines_that_run_what_is_changed_are_those_of_its_statement_or_all_of_the_function():
    found = {mutant.described(SOURCE): mutant.lines for mutant in find_mutants("a.py", SOURCE)}
    assert found["return x * 0.5 → return x / 0.5"] == range(11, 12)
    default = "def share(x: int = 2) -> float: → def share(x: int = 3) -> float:"
    assert found[default] == range(7, 12)
    assert found["LIMIT: Literal[7] = 3 → LIMIT: Literal[7] = 4"] is None


def test_every_equivalent_mutant_has_its_reason():
    for line in EQUIVALENT.read_text().splitlines():
        path, described, reason = line.split("\t")
        assert (ROOT / path).is_file() and " → " in described and reason
