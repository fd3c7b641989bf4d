"""Pictures sorted into folders by their answers: nothing is lost or written over, all is undone."""

import csv
import errno
import os
import shutil
from hashlib import sha256

import pytest

from alexnet_tf.commands import predict
from alexnet_tf.errors import UserError
from alexnet_tf.inference.batch import BatchPredictor
from alexnet_tf.inference.classifier import Prediction
from alexnet_tf.inference.output.sorting import Sorter, folder_names
from alexnet_tf.inference.output.undo import undo
from alexnet_tf.system.transfers import WAYS
from tests.support.verbs import run_verb
from tests.test_hostile_names import ODD, UNFIT

CLASSES = ("cat", "dog")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Go to a folder with ``photos``: six files, of which two share a name in two folders."""
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "photos/more"):
        (tmp_path / folder).mkdir()
        for name in ("cat.jpg", "dog.jpg", "odd.jpg"):
            (tmp_path / folder / name).write_bytes(f"{folder}/{name}".encode())
    return tmp_path / "photos"


def contents(folder):
    """Return path → content of all files below `folder`, but those that are hidden and undo.csv."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name not in (".lock", "undo.csv")
    }


def answer(file):
    """Answer what the name says; less surely what is odd."""
    name = os.path.basename(file)
    return Prediction(
        file, (("dog", 0.9) if name == "dog.jpg" else ("cat", 0.6 + 0.3 * ("cat" in name)),)
    )


def sort(photos, by="copy", into="sorted", unsure=0.0, ask=answer):
    """Sort what is in `photos` as `predict` does; return the files that are asked about."""
    files = sorted(str(path) for path in photos.rglob("*.jpg"))
    sorter = Sorter(into, CLASSES, by, unsure)
    with sorter.opened():
        predictor = BatchPredictor(lambda files: map(ask, files), sorter=sorter)
        remaining = predictor.remaining(files)
        return [each.file for each in predictor.predict(remaining)]


@pytest.mark.parametrize("by", WAYS)
def test_pictures_go_to_their_class_and_back_again(photos, tmp_path, by):
    before = contents(photos)
    sort(photos, by, unsure=0.7)

    found = contents(tmp_path / "sorted")
    assert set(found) == {
        f"{folder}/{name}{end}.jpg"
        for folder, name in (("cat", "cat"), ("dog", "dog"), ("unsure", "odd"))
        for end in ("", " (2)")
    }
    assert sorted(found.values()) == sorted(before.values())
    assert contents(photos) == ({} if by == "move" else before)
    links = [path.stat().st_nlink for path in (tmp_path / "sorted").rglob("*.jpg")]
    assert set(links) == {2 if by == "link" else 1}

    assert undo(tmp_path / "sorted") == (6, [])
    assert contents(photos) == before and not (tmp_path / "sorted").exists()


def test_what_is_there_is_never_written_over(photos, tmp_path):
    for name in ("cat.jpg", "cat (2).jpg", "unsure"):
        path = tmp_path / "sorted" / "cat" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
    sort(photos, "move")
    found = contents(tmp_path / "sorted/cat")
    assert found["cat.jpg"] == found["cat (2).jpg"] == found["unsure"] == b"mine"
    assert {found["cat (3).jpg"], found["cat (4).jpg"]} == {
        b"photos/cat.jpg", b"photos/more/cat.jpg",
    }  # fmt: skip
    undo(tmp_path / "sorted")
    assert set(contents(tmp_path / "sorted").values()) == {b"mine"}


def test_sorted_in_place_and_again_nothing_changes(photos):
    before = sorted(contents(photos).values())
    sort(photos, "move", into=photos)
    first = contents(photos)
    assert sort(photos, "move", into=photos) == []
    assert contents(photos) == first and sorted(first.values()) == before
    assert set(first) == {
        f"{kind}/{name}{end}.jpg"
        for kind, name in (("cat", "cat"), ("dog", "dog"), ("cat", "odd"))
        for end in ("", " (2)")
    }


def on_another_disk(monkeypatch):
    """Refuse links from one folder to another."""
    real = os.link

    def link(source, target):
        if os.path.dirname(source) != os.path.dirname(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "link", link)


# The steps of each way to sort; a link copies nothing and removes nothing.
STEPS = [
    *((by, step) for by in WAYS for step in ("link", "mkdir", "answer")),
    ("copy", "unlink"), ("copy", "copy2"), ("move", "unlink"), ("move", "copy2"),
]  # fmt: skip


@pytest.mark.parametrize(("by", "step"), STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_moment_it_goes_on_and_loses_nothing(
    photos, tmp_path, monkeypatch, by, step, after
):
    before, deaths = sorted(contents(photos).values()), 0
    if (by, step) == ("move", "copy2"):
        on_another_disk(monkeypatch)

    def dying(function, count):
        def live():
            nonlocal count
            count -= 1
            if count == 0:
                raise Killed

        def call(*words, **options):
            if not after:
                live()
            result = function(*words, **options)
            if after:
                live()
            return result

        return call

    for count in (1, 1, 1) if step == "mkdir" else (1, 2, 3):  # three folders, six pictures
        with monkeypatch.context() as patch:
            if step in ("link", "unlink", "mkdir"):
                patch.setattr(os, step, dying(getattr(os, step), count))
            elif step == "copy2":
                patch.setattr(shutil, "copy2", dying(shutil.copy2, count))
            try:
                sort(photos, by, ask=dying(answer, count) if step == "answer" else answer)
            except Killed:
                deaths += 1
        assert set(before) <= {*contents(photos).values(), *contents(tmp_path / "sorted").values()}
    assert deaths == 3  # none came too late
    sort(photos, by)
    assert sorted(contents(tmp_path / "sorted").values()) == before
    assert sorted(contents(photos).values()) == ([] if by == "move" else before)
    assert undo(tmp_path / "sorted")[1] == []
    assert sorted(contents(photos).values()) == before and not contents(tmp_path / "sorted")


@pytest.mark.parametrize("work", [sort, lambda photos: undo(photos.parent / "sorted")])
def test_an_undo_csv_that_a_killed_process_had_begun_goes_away(photos, tmp_path, work):
    sort(photos)
    (tmp_path / "sorted/.undo.588491268563744939.tmp.csv").write_text("from,to,by,sha256,key\n")
    work(photos)
    assert not [*tmp_path.rglob(".undo.*")]


@pytest.mark.parametrize("by", WAYS)
def test_a_sorted_folder_that_was_renamed_is_taken_back(photos, tmp_path, by):
    before = contents(photos)
    sort(photos, by)
    (tmp_path / "sorted").rename(tmp_path / "done")
    assert undo(tmp_path / "done") == (6, [])
    assert contents(photos) == before and not (tmp_path / "done").exists()


def written(folder, *rows, columns=("from", "to", "by", "sha256")):
    """Write an undo.csv as an earlier version did, or a stranger."""
    with open(folder / "undo.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def test_a_forged_list_removes_and_plants_nothing_outside(photos, tmp_path):
    """Whatever it says; and nobody can give its lines the key that the user's own have."""
    own, strange = tmp_path / "own.jpg", tmp_path / "strange"
    (strange / "dog").mkdir(parents=True)
    (strange / "linked").symlink_to(tmp_path)
    for path in (own, strange / "cat.jpg", strange / "dog/evil.desktop"):
        path.write_bytes(b"mine")
    mine = sha256(b"mine").hexdigest()
    before = contents(tmp_path)
    harmless = (
        (strange / "cat.jpg", own, "copy"),  # removes what is outside
        (strange / "cat.jpg", "../own.jpg", "copy"),
        (strange / "cat.jpg", "linked/own.jpg", "copy"),
        (own, own, "link"),
        ("cat.jpg", "cat.jpg", "copy"),
        ("", tmp_path / "empty", "folder"),
    )
    (tmp_path / "empty").mkdir()
    written(strange, *((*row, mine) for row in harmless))
    reasons = undo(strange)[1]
    assert len(reasons) == 5 and contents(tmp_path) == before and (tmp_path / "empty").is_dir()
    planted = (tmp_path / "autostart/evil.desktop", "dog/evil.desktop", "move", mine)
    for key in ((), ("0" * 64,)):
        written(
            strange, (*planted, *key), columns=("from", "to", "by", "sha256", "key")[: 4 + len(key)]
        )
        asked = []
        with pytest.raises(UserError, match=r"was not written by you on this computer"):
            undo(strange, asked.append)
        assert asked == [[str(tmp_path / "autostart")]]
        with pytest.raises(UserError, match=r"was not written by you"):
            run_verb(predict, "--undo", strange)
        assert contents(tmp_path) == before


def test_going_on_by_a_forged_list_removes_no_picture(photos, tmp_path):
    (tmp_path / "sorted").mkdir()
    cat = photos / "cat.jpg"
    written(tmp_path / "sorted", (cat, cat, "move", sha256(cat.read_bytes()).hexdigest()))
    before = sorted(contents(photos).values())
    sort(photos, "move")
    assert sorted(contents(tmp_path / "sorted").values()) == before


@pytest.mark.parametrize("by", ["copy", "move"])
def test_a_list_of_an_earlier_version_is_gone_on_with_and_taken_back(photos, tmp_path, by):
    before = contents(photos)
    sort(photos, by)
    with open(tmp_path / "sorted/undo.csv", newline="") as file:
        rows = [row[:4] for row in list(csv.reader(file))[1:]]
    written(
        tmp_path / "sorted", *([a, str(tmp_path / "sorted" / b), *rest] for a, b, *rest in rows)
    )
    sort(photos, by)
    assert undo(tmp_path / "sorted", lambda folders: True) == (6, [])
    assert contents(photos) == before


def test_links_are_not_moved_and_nothing_is_moved_then(photos, tmp_path):
    (photos / "link.jpg").symlink_to(photos / "cat.jpg")
    before = contents(tmp_path)
    with pytest.raises(UserError, match=r"link\.jpg: is a link, and --by move moves files"):
        run_verb(predict, photos, "--sort-into", "sorted", "--by", "move", "--run", "starter")
    assert contents(tmp_path) == before


def test_a_link_that_arrives_in_a_watched_folder_is_not_moved(photos, tmp_path):
    (photos / "link.jpg").symlink_to(photos / "cat.jpg")
    assert str(photos / "link.jpg") not in sort(photos, "move")
    assert (photos / "link.jpg").is_symlink()
    assert undo(tmp_path / "sorted") == (6, [])


@pytest.mark.parametrize("make", ["symlink_to", "write_text"])
def test_what_is_no_folder_in_a_classs_place_is_refused_at_once(photos, tmp_path, make):
    (tmp_path / "sorted").mkdir()
    getattr(tmp_path / "sorted/dog", make)(str(photos))
    before = contents(tmp_path)
    with pytest.raises(UserError, match="sorted/dog: is no folder of its own"):
        sort(photos, "move")
    assert contents(tmp_path) == before


def test_a_move_is_on_the_disk_as_a_line_before_it_is_made(photos, tmp_path, monkeypatch):
    """Otherwise a power cut could leave moved pictures that no list names."""
    done = []

    def noting(name, function):
        def call(*words, **options):
            done.append(os.path.basename(words[0]) if name == "link" else "synced")
            return function(*words, **options)

        return call

    for name in ("fsync", "link"):
        monkeypatch.setattr(os, name, noting(name, getattr(os, name)))
    sort(photos, "move")
    moved = [place for place, each in enumerate(done) if each.endswith(".jpg")]
    assert len(moved) == 6 and all(done[place - 1] == "synced" for place in moved)


@pytest.mark.parametrize("by", ["move", "copy", "link"])
def test_on_another_disk_pictures_are_copied_and_a_link_is_refused(
    photos, tmp_path, monkeypatch, by
):
    on_another_disk(monkeypatch)
    before = contents(photos)
    if by == "link":
        with pytest.raises(UserError, match="is on another disk, or the disk has none; take --by"):
            sort(photos, by)
        assert contents(photos) == before
        return
    sort(photos, by)
    assert sorted(contents(tmp_path / "sorted").values()) == sorted(before.values())
    undo(tmp_path / "sorted")
    assert contents(photos) == before


def test_undo_removes_no_last_copy_and_no_change(photos, tmp_path):
    sort(photos)
    (tmp_path / "sorted/cat/odd.jpg").write_bytes(b"edited")
    (photos / "cat.jpg").unlink()
    (photos / "dog.jpg").write_bytes(b"another")
    count, reasons = undo(tmp_path / "sorted")
    assert count == 3 and [reason.split(": ")[1] for reason in reasons] == [
        f"is left there, because {photos}/cat.jpg is gone",
        f"is left there, because {photos}/dog.jpg is another picture now",
        "has been changed, and is left there",
    ]
    assert set(contents(tmp_path / "sorted")) == {"cat/cat.jpg", "dog/dog.jpg", "cat/odd.jpg"}
    (photos / "cat.jpg").write_bytes(b"photos/cat.jpg")
    assert undo(tmp_path / "sorted")[0] == 1


def test_the_command_that_sorted_undoes_it(photos, tmp_path, capsys):
    before = contents(photos)
    sort(photos, "move")
    assert run_verb(predict, "2", "photos", "--sort-into", "sorted", "--undo") == 0
    assert capsys.readouterr().out == "sorted: 6 taken back, 0 left\n"
    assert contents(photos) == before
    with pytest.raises(UserError, match=r"has no undo\.csv, so there is nothing to undo"):
        run_verb(predict, "photos", "--undo")


def test_no_cell_of_the_list_is_a_formula(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"cat")
    sorter = Sorter("sorted", ("=cat", "+dog"))
    with sorter.opened():
        sorter.place("a.jpg", "=cat", 0.9)
    with open("sorted/undo.csv", newline="") as file:
        rows = list(csv.reader(file))[1:]
    assert [row[1] for row in rows] == [".", "file:%3Dcat", "file:%3Dcat/a.jpg"]
    assert undo(tmp_path / "sorted") == (1, []) and not (tmp_path / "sorted").exists()


def test_a_list_that_is_not_ours_is_not_touched(photos, tmp_path):
    (tmp_path / "sorted").mkdir()
    (tmp_path / "sorted/undo.csv").write_text("shopping,list\n")
    for attempt in (lambda: sort(photos), lambda: undo(tmp_path / "sorted")):
        with pytest.raises(UserError, match=r"undo\.csv: is no list of this program"):
            attempt()
    assert (tmp_path / "sorted/undo.csv").read_text() == "shopping,list\n"


def test_hostile_classes_are_folders_of_their_own_inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [
        *ODD, *UNFIT, "", ".", "..", "../../up", "/abs", "a/b", "a\\b", "CON", "nul.txt", "Cat",
        "cat", "cat (2)", "unsure", "undo.csv", "x" * 4000, "中" * 4000, "trailing. ", ".lock",
    ]  # fmt: skip
    folders = folder_names(names)
    assert len({folder.casefold() for folder in folders}) == len(names)
    for number, name in enumerate(names):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(sha256(name.encode("utf-8", "surrogateescape")).digest())
    sorter = Sorter("sorted", names, "move", 0.5)
    with sorter.opened():
        for number, name in enumerate(names):
            sorter.place(f"{number}.jpg", name, 1.0)
    made = [path for path in (tmp_path / "sorted").iterdir() if path.is_dir()]
    assert {path.name for path in made} == set(folders)
    assert all(len(list(path.iterdir())) == 1 for path in made)
    assert [path.name for path in tmp_path.iterdir()] == ["sorted"]
    assert undo(tmp_path / "sorted")[0] == len(names)
    assert len(list(tmp_path.iterdir())) == len(names)


def test_names_as_long_as_a_disk_takes_them_are_numbered(photos, tmp_path):
    for folder in (photos, photos / "more"):
        (folder / ("é" * 124 + ".jpg")).write_bytes(str(folder).encode())
    sort(photos, "move")
    assert len(contents(tmp_path / "sorted")) == 8
    assert undo(tmp_path / "sorted") == (8, [])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--unsure", "0.8"), "--unsure: says how to sort; give --sort-into DIR"),
        (("--by", "move"), "--by: says how to sort"),
        (("--watch", "--shard", "1/2"), "--watch: predicts all that arrives"),
    ],
)
def test_options_that_do_not_go_together_are_a_mistake(photos, words, sentence):
    with pytest.raises(UserError, match=sentence):
        run_verb(predict, "2", "photos", *words)
