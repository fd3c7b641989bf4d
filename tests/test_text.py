"""Names that are safe to print, and tables whose columns stand in line."""

import pytest

from alexnet_tf.system.text import (
    align,
    decoded,
    encoded,
    from_cell,
    in_cell,
    is_printable,
    markdown,
    printable,
    printable_lines,
)

TABLE = [("variant", "accuracy", "(epoch)"), ("bvlc", "0.9812", "12"), ("cifar96-nolrn", "–", "3")]


def test_what_would_write_backwards_or_hide_is_shown_as_an_escape():
    assert printable("a\u202eb\u2066\ufeff") == "a\\u202eb\\u2066\\ufeff"


def test_the_joiners_of_scripts_and_emoji_are_shown_as_they_are():
    assert printable("👩‍🚀 می‌خواهم שלום") == "👩‍🚀 می‌خواهم שלום"


def test_what_breaks_lines_or_moves_the_cursor_is_shown_as_an_escape():
    assert printable("a\nb\x1b[2J\u2028\udcff") == "a\\nb\\x1b[2J\\u2028\\udcff"


def test_lines_stay_lines_and_each_is_printable():
    assert printable_lines("two\nlines\r") == "two\nlines\\r"


@pytest.mark.parametrize("name", ["new\nline", "return\r", "null\0", "line\u2028", "\udcff"])
def test_what_breaks_lines_is_not_printable(name):
    assert not is_printable(name)


def test_what_is_invisible_breaks_no_line():
    assert is_printable("gnp.\u202egpj")


def test_an_aligned_table_has_its_first_column_flush_left_and_the_others_right():
    assert align(TABLE) == [
        "variant        accuracy  (epoch)",
        "bvlc             0.9812       12",
        "cifar96-nolrn         –        3",
    ]


def test_cells_of_an_aligned_table_may_be_numbers_and_odd_names():
    assert align([("class", "training"), ("a\nb", 8)]) == ["class  training", "a\\nb          8"]


def test_a_table_without_a_row_has_no_lines():
    assert align([]) == []


def test_markdown_is_flush_right_but_for_the_first_column():
    assert markdown(TABLE) == (
        "| variant       | accuracy | (epoch) |\n"
        "| ------------- | -------: | ------: |\n"
        "| bvlc          |   0.9812 |      12 |\n"
        "| cifar96-nolrn |        – |       3 |\n"
    )


def test_markdown_can_be_flush_left_throughout():
    assert markdown(TABLE, right=False) == (
        "| variant       | accuracy | (epoch) |\n"
        "| ------------- | -------- | ------- |\n"
        "| bvlc          | 0.9812   | 12      |\n"
        "| cifar96-nolrn | –        | 3       |\n"
    )


def test_markdown_leaves_cells_as_they_are():
    assert "a\u202eb" in markdown([("name",), ("a\u202eb",)])


@pytest.mark.parametrize("text", ["=1+1", "+1", "-x", "@x", "\tx", "'=1", "''-x", "'x", "cat", ""])
def test_no_cell_is_a_formula_and_each_comes_back(text):
    assert not in_cell(text).startswith(("=", "+", "-", "@", "\t"))
    assert from_cell(in_cell(text)) == text
    assert in_cell("x") == "x" and in_cell("'x") == "'x"


@pytest.mark.parametrize("path", ["=a.jpg", "-b/c.jpg", "+1.jpg", "@x/=y.jpg", "/=d", "e=.jpg"])
def test_no_path_in_a_table_is_a_formula_and_each_comes_back(path):
    assert not encoded(path).startswith(("=", "+", "-", "@")) and decoded(encoded(path)) == path
    assert (encoded(path) == path) == path.startswith(("/", "e"))
