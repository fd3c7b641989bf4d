"""AlexNetClassifier, as whoever knows scikit-learn uses it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from alexnet_tf import AlexNetClassifier, UserError
from alexnet_tf.runs.settings import DEFAULTS
from tests.support.small import without_litert  # noqa: F401 - used by every test

SMALL = {
    "weights": "starter", "epochs": 2, "batch_size": 16, "units": 16, "precision": "float32",
}  # fmt: skip


@pytest.fixture(scope="module")
def pictures(faces):
    return [str(faces / f"{name}.{number}.jpg") for name in ("cat", "dog") for number in range(10)]


@pytest.fixture(scope="module")
def fitted(pictures, tmp_path_factory):
    """A classifier of numbers, whose order is not that of their spellings."""
    features = str(tmp_path_factory.mktemp("features"))
    classifier = AlexNetClassifier(features=features, **SMALL)
    assert classifier.fit(pictures, [2] * 10 + [10] * 10) is classifier
    return classifier


def test_it_answers_with_the_labels_that_it_was_given(fitted, pictures):
    assert fitted.classes_.tolist() == [2, 10] and fitted.run_.classes == ("2", "10")
    found = fitted.predict(pictures)
    assert found.dtype == fitted.classes_.dtype and {*found} <= {2, 10}
    expected = [int(answer.label) for answer in fitted.run_.predict(pictures)]
    assert found.tolist() == expected
    assert fitted.score(pictures, expected) == 1
    probabilities = fitted.predict_proba(pictures)
    assert probabilities.shape == (20, 2) and probabilities.sum(axis=1) == pytest.approx(1)


def test_pictures_may_be_a_series_a_column_or_an_array(fitted, pictures):
    found = fitted.predict(pictures).tolist()
    frame = pd.DataFrame({"picture": pictures})
    for same in (frame, frame["picture"], np.array(pictures), np.array(pictures)[:, None]):
        assert fitted.predict(same).tolist() == found
    pixels = np.stack([np.asarray(Image.open(path)) for path in pictures[:3]])
    assert len(fitted.predict(pixels)) == 3


def test_it_learns_from_arrays_too_and_keeps_the_run_where_it_is_told(pictures, tmp_path):
    arrays = [np.asarray(Image.open(path)) for path in pictures]
    config = SMALL | {"report": False, "tensorboard": "off", "epochs": 1}
    features = str(tmp_path / "features")
    kept = AlexNetClassifier(run=tmp_path / "run", features=features, **config)
    kept.fit(arrays, ["a cat"] * 10 + ["a dog"] * 10)
    assert kept.run_.directory == tmp_path / "run" and kept.classes_.tolist() == ["a cat", "a dog"]
    opened = pickle.loads(pickle.dumps(kept))
    assert opened.predict(arrays[:2]).tolist() == kept.predict(arrays[:2]).tolist()


def test_its_parameters_are_the_settings():
    classifier = AlexNetClassifier(epochs=3, run="runs/mine")
    config = classifier.get_params()
    assert {*config} == {"run", "recipe", *DEFAULTS} - {"data"}
    assert config["epochs"] == 3 and clone(classifier).get_params() == config
    assert repr(classifier) == "AlexNetClassifier(epochs=3, run='runs/mine')"
    assert classifier.set_params(units=8).units == 8
    with pytest.raises(TypeError, match="no setting epohcs; did you mean epochs"):
        AlexNetClassifier(epohcs=3)


@pytest.mark.parametrize(
    "check",
    ["estimator_cloneable", "estimator_repr", "no_attributes_set_in_init", "get_params_invariance",
     "set_params", "parameters_default_constructible", "mixin_order", "valid_tag_types",
     "do_not_raise_errors_in_init_or_set_params"],
)  # fmt: skip
def test_it_passes_those_checks_of_scikit_learn_that_need_no_table_of_numbers(check):
    getattr(estimator_checks, f"check_{check}")("AlexNetClassifier", AlexNetClassifier())


def test_what_was_not_fitted_is_said_and_so_are_labels_that_do_not_fit(pictures):
    with pytest.raises(NotFittedError):
        AlexNetClassifier().predict(pictures)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        AlexNetClassifier().fit(pictures, [1])
    count = len(pictures)
    for labels, reason in (
        (None, "1d array"),
        (np.eye(count), "1d array"),
        (np.linspace(0, 1, count), "Unknown label type"),
    ):
        with pytest.raises(ValueError, match=reason):
            AlexNetClassifier().fit(pictures, labels)
    with pytest.raises(UserError, match="y: should have two classes or more, but has 1"):
        AlexNetClassifier().fit(pictures, ["cat"] * count)
