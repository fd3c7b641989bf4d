"""Exports that answer as their run does, to programs that know nothing of this one."""

import json
import shutil
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from alexnet_tf.commands import export
from alexnet_tf.data.images.preprocessing import load_crops, load_image, preprocess_input
from alexnet_tf.errors import RunError, UserError
from alexnet_tf.export import exporter, parity
from alexnet_tf.export.network import ExportedNetwork
from alexnet_tf.inference.classifier import Classifier
from alexnet_tf.inference.engine import Engine
from alexnet_tf.metrics.novelty import Novelty
from alexnet_tf.model import AlexNet, with_statistics
from alexnet_tf.runs.run import Run
from alexnet_tf.variants import change, get_variant
from tests.support.caffe import random_weights
from tests.support.runs import write_run
from tests.support.steps import softmax
from tests.support.verbs import run_verb

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")

from alexnet_tf.export import litert, saved_model  # noqa: E402
from alexnet_tf.export import onnx as onnx_export  # noqa: E402
from alexnet_tf.export.resizing import views_of  # noqa: E402

# Variant, what is changed of it, way of resizing, crops.
NETWORKS = {
    "windows": ("bvlc", {"scale": 288, "mirrored": True}, "squash", 1),
    "windows of the middle": ("caffenet", {"scale": 240}, "short", 1),
    "a linear head": ("caffenet", {"scale": 240, "mirrored": True, "linear": True}, "caffe", 1),
    "classical": ("caffenet", {}, "short", 1),
    "ten crops": ("bvlc", {}, "short", 10),
    "caffe's crop": ("paper", {"activation": "leaky_relu"}, "caffe", 1),
    "ten of a square": ("owt", {"activation": "softplus"}, "caffe", 10),
    "torchvision": ("nolrn", {"activation": "prelu"}, "short", 1),
    "cifar": ("cifar96", {"activation": "tanh"}, "squash", 1),
    "lenet": ("lenet5", {"activation": "sigmoid", "width": 1}, "squash", 1),
}
WAYS = {
    "onnx": (onnx_export.write, onnx_export.predict, parity.pixels),
    "litert": (litert.write, litert.predict, parity.pixels),
    "savedmodel": (saved_model.write, saved_model.predict, parity.contents),
}


def network_of(kind):
    name, changes, resize, crops = NETWORKS[kind]
    variant = change(get_variant(name), **{"width": 0.05} | changes)
    weights = random_weights(variant, 3, seed=1)
    model = AlexNet(variant, 3, weights)
    return ExportedNetwork(model, variant, resize, ("cat", "dog", "猫"), crops)


def told_apart(network, files):
    """Answer files, once fc8 is such that the random network tells them apart: logits around 0."""
    views = [load_crops(each, network.variant, network.resize, network.crops) for each in files]
    inputs = preprocess_input(np.concatenate(views), network.variant)
    fc8 = network.model.get_layer("fc8")
    logits = keras.Model(network.model.input, fc8.output).predict_on_batch(inputs)
    larger = 2 / logits.std(axis=0)
    fc8.kernel.assign(fc8.kernel * larger)
    fc8.bias.assign((fc8.bias - logits.mean(axis=0)) * larger)
    predictions = network.model.predict_on_batch(inputs)
    assert np.ptp(predictions, axis=0).max() > 0.1
    return predictions.reshape(len(files), network.crops, -1).mean(axis=1)


def with_novelty(network, files):
    """Add a novelty of random numbers to a network; return it, and the novelty of the files."""
    views = [load_crops(each, network.variant, network.resize, network.crops) for each in files]
    inputs = preprocess_input(np.concatenate(views), network.variant)
    statistics = with_statistics(network.model).predict_on_batch(inputs)[:, len(network.classes) :]
    random, channels = np.random.default_rng(2), statistics.shape[1] // 2
    scales = np.abs(statistics).reshape(-1, 2, channels).mean(axis=(0, 2)) + 0.1
    numbers = (
        scales,
        (1, 2),
        random.normal(size=(2, channels, channels)),
        random.normal(size=(2, 2 * channels)),
    )
    novelty = Novelty(*(np.array(each, np.float32) for each in numbers))
    novel = novelty.of(statistics).reshape(len(files), network.crops).mean(axis=1)
    return replace(network, novelty=novelty), novel


def scaled_already(network, folder):
    """Write three pictures of the size that others are scaled to."""
    variant = network.variant
    side = variant.image_size if network.resize == "squash" else variant.resized
    random, files = np.random.default_rng(1), []
    for number in range(3):
        pixels = random.integers(0, 255, (6, 6, 3), np.uint8)
        picture = Image.fromarray(pixels).resize(
            [variant.scaled or side] * 2, Image.Resampling.BICUBIC
        )
        files.append(str(folder / f"{number}.png"))
        picture.save(files[-1])
    return files


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Smooth pictures, wide, high and tiny, one of them grey."""
    folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    sizes = {"wide.jpg": (500, 375), "high.png": (301, 452), "tiny.bmp": (40, 31)}
    for name, size in sizes.items():
        pixels = random.integers(0, 255, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(folder / name)
    Image.open(folder / "wide.jpg").convert("L").save(folder / "grey.jpg")
    return sorted(map(str, folder.iterdir()))


@pytest.mark.parametrize(
    ("kind", "format"),
    [
        *((kind, "onnx") for kind in NETWORKS),
        *(
            (kind, format)
            for kind in ("windows", "torchvision")
            for format in WAYS
            if format != "onnx"
        ),
    ],
)
def test_an_export_answers_as_its_network_does(kind, format, tmp_path):
    network = network_of(kind)
    exact = scaled_already(network, tmp_path)
    expected = told_apart(network, exact)
    write, ask, read = WAYS[format]
    path = tmp_path / "export"
    if format == "onnx":
        network, novel = with_novelty(network, exact)
    write(path, network)
    np.testing.assert_allclose(ask(path, read(exact)), expected, atol=2e-4)
    if format == "onnx":
        session = onnxruntime.InferenceSession(path)
        found = [session.run(["novelty"], {"pixels": each[None]})[0] for each in read(exact)]
        np.testing.assert_allclose(np.concatenate(found), novel, rtol=1e-3)


# Way of resizing, crops, and the side of windows, of a network of 61 pixels and squares of 72.
LOOKS = {
    "short": ("short", 1, 0), "caffe": ("caffe", 1, 0), "squash": ("squash", 1, 0),
    "ten of short": ("short", 10, 0), "ten of caffe": ("caffe", 10, 0),
    "windows of short": ("short", 1, 80), "windows of squash": ("squash", 1, 80),
}  # fmt: skip


def looked_at(file, resize, crops, scaled, off=(0, 0)):
    """Look at a picture, resized whole by Pillow, at every place, or at a place that is `off`."""
    side, whole = (scaled, scaled) if scaled else (61, 72)
    picture = Image.open(file)
    sizes = {
        "short": [round(length * whole / min(picture.size)) for length in picture.size],
        "caffe": [whole, whole],
        "squash": [side, side],
    }
    pixels = np.asarray(picture.resize(sizes[resize], Image.Resampling.BILINEAR), float)
    height, width, _ = pixels.shape
    places = [((height - side) // 2, (width - side) // 2)]
    if crops == 10:
        top, left = (height - whole) // 2, (width - whole) // 2
        corners = [(top + y, left + x) for y in (0, whole - side) for x in (0, whole - side)]
        places = [*corners, *places]
    pixels = np.roll(pixels, off, (0, 1))
    views = [pixels[top : top + side, left : left + side] for top, left in places]
    return np.stack(views if crops == 1 else views + [view[:, ::-1] for view in views])


@pytest.mark.parametrize("format", WAYS)
@pytest.mark.parametrize("kind", LOOKS)
def test_an_export_sees_of_any_picture_what_pillow_makes_of_it(kind, format, tmp_path):
    """A network that is one layer, which weighs all pixels: a grey level here and there is nothing
    to it, and a pixel to the side is much."""
    random, files = np.random.default_rng(0), []
    for number, size in enumerate([(100, 75), (90, 131), (40, 31), (333, 97), (72, 72)]):
        pixels = random.integers(0, 255, (6, 6, 3), np.uint8)
        files.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(files[-1])
    variant = replace(get_variant("caffenet"), image_size=61, resized=72, scaled=LOOKS[kind][2])
    side = LOOKS[kind][2] or 61
    waves = random.normal(size=(6, 6, 9))
    waves = np.stack([np.kron(wave, np.ones((14, 14)))[:side, :side] for wave in waves.T], axis=2)
    kernel = waves.reshape(side * side * 3, 3)

    def predictions(off=(0, 0)):
        views = [looked_at(each, *LOOKS[kind], off) for each in files]
        inputs = np.stack(views)[..., ::-1] - (104.007, 116.669, 122.679)
        return inputs.reshape(len(files), LOOKS[kind][1], -1) @ kernel

    expected = predictions()
    larger, middle = 1 / expected.std(axis=(0, 1)), expected.mean(axis=(0, 1))
    inputs = keras.Input((side, side, 3))
    layer = keras.layers.Dense(3)
    model = keras.Model(inputs, keras.layers.Softmax()(layer(keras.layers.Flatten()(inputs))))
    layer.set_weights([kernel * larger, -middle * larger])
    network = ExportedNetwork(model, variant, LOOKS[kind][0], ("cat", "dog", "猫"), LOOKS[kind][1])
    write, ask, read = WAYS[format]
    write(tmp_path / "export", network)
    found = ask(tmp_path / "export", read(files))

    def probabilities(logits):
        return softmax(((logits - middle) * larger).reshape(-1, 3)).reshape(logits.shape).mean(1)

    np.testing.assert_allclose(found, probabilities(expected), atol=1e-3)
    for off in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        assert np.abs(found - probabilities(predictions(off))).max() > 1e-2


def test_resizing_is_within_one_grey_level_of_ours(material):
    network = network_of("windows")
    photos = sorted((material / "data" / "dogs-vs-cats").glob("*.jpg"))[::6]
    off = []
    for photo in photos:
        (pixels,) = parity.pixels([photo])
        view = views_of(pixels[None], network).numpy()[0, 0]
        off.append(np.abs(view - load_image(photo, network.variant, network.resize)))
    assert len(off) == 200
    assert np.mean(np.stack(off) > 1) < 1e-5 and np.max(off) <= 2


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of a thin network, which has no pictures any more."""
    return write_run(tmp_path_factory.mktemp("exported") / "run")


def predictions(run, files):
    return np.stack([each[0] for each in Classifier([Engine.of_run(run)]).probabilities(files)])


XMP = b"<x:xmpmeta><rdf:Description tiff:Orientation%s/></x:xmpmeta>"


def bmp(picture, alpha, masks=(0xFF0000, 0xFF00, 0xFF), packing=3, bits=32):
    """Write a BMP of Windows 95 and later (BITMAPV4HEADER) with masks for its colours."""
    width, height = picture.size
    rows = np.asarray(picture.convert("RGBA"))[::-1, :, [2, 1, 0, 3]]
    header = struct.pack("<LllHHLLllLL", 108, width, height, 1, bits, packing, 0, 0, 0, 0, 0)
    header += struct.pack("<4L", *masks, alpha) + bytes(52)
    size = 14 + len(header)
    return b"BM" + struct.pack("<LLL", size + rows.size, 0, size) + header + rows.tobytes()


ALONE = """
import sys, numpy, tensorflow as tf
network = tf.saved_model.load("pets").signatures["serving_default"]
answer = network(bytes=tf.constant([open(file, "rb").read() for file in sys.argv[1:]]))
assert "alexnet_tf" not in sys.modules
print(answer["classes"].numpy()[0].tolist())
numpy.save("answers.npy", answer["probabilities"].numpy())
"""


def test_a_savedmodel_reads_files_as_the_run_does_without_this_package(run, photos, tmp_path):
    """Upright by EXIF, on white where transparent, by their palette, of one frame of several."""
    picture = Image.open(photos[-1]).resize((64, 48))
    clear, turned = picture.copy(), Image.Exif()
    clear.putalpha(Image.linear_gradient("L").resize(picture.size))
    spotted = picture.copy()
    spotted.paste((0, 0, 0), (0, 0, 30, 48))
    text = PngInfo()
    text.add_itxt("XML:com.adobe.xmp", (XMP % b'="6"').decode())
    turned[0x0112] = 6
    kinds = {
        "turned.jpg": (picture, {"exif": turned, "quality": 95}),
        "turned.webp": (picture, {"exif": turned, "lossless": True}),
        "turned.png": (picture, {"exif": turned}),
        "clear.png": (clear, {}),
        "clear grey.png": (clear.convert("LA"), {}),
        "clear.webp": (clear, {"lossless": True}),
        "palette.bmp": (picture.quantize(16), {}),
        "palette.png": (picture.quantize(16), {"transparency": 3}),
        "film.gif": (picture.quantize(16), {"save_all": True, "append_images": [clear]}),
        "ink.jpg": (picture.convert("CMYK"), {"quality": 95}),
        "large.jpg": (picture.resize((2500, 2000)), {}),
        "turned by xmp.jpg": (picture, {"xmp": XMP % b'="6"', "quality": 95}),
        "turned by xmp.webp": (picture, {"xmp": XMP % b">8<", "lossless": True}),
        "turned by xmp.png": (picture, {"pnginfo": text}),
        "one clear colour.png": (spotted, {"transparency": (0, 0, 0)}),
        "one clear grey.png": (spotted.convert("L"), {"transparency": 0}),
        "deep grey.png": (Image.fromarray(np.asarray(picture.convert("L")).astype("u2") * 256), {}),
    }
    for name, (image, how) in kinds.items():
        image.save(tmp_path / name, **how)
    (tmp_path / "clear.bmp").write_bytes(bmp(clear, 0xFF000000))
    (tmp_path / "opaque.bmp").write_bytes(bmp(clear, 0))
    ink = (tmp_path / "ink.jpg").read_bytes()
    start = ink.index(b"\xff\xee")
    (tmp_path / "ink without a word.jpg").write_bytes(ink[:start] + ink[start + 16 :])
    kinds = [path.name for path in sorted(tmp_path.iterdir())]
    assert (
        run_verb(export, run.directory, "--format", "savedmodel", "--out", tmp_path / "pets")
        is None
    )
    files = [str(tmp_path / name) for name in kinds]
    result = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, *files], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.stdout == "[b'cat', b'dog']\n", result.stderr
    difference = np.abs(np.load(tmp_path / "answers.npy") - predictions(run, files)).max(axis=1)
    assert dict(zip(kinds, difference)) == dict.fromkeys(kinds, pytest.approx(0, abs=0.005))


def test_a_savedmodel_refuses_what_it_cannot_read(run, photos, tmp_path):
    """TensorFlow 2.21 writes past the end of its memory for a WebP of several pictures."""
    import tensorflow as tf

    run_verb(export, run.directory, "--format", "savedmodel", "--out", tmp_path / "pets")
    picture = Image.open(photos[-1])
    picture.save(tmp_path / "film.webp", save_all=True, append_images=[picture.rotate(90)])
    (tmp_path / "letter.jpg").write_text("Dear")
    (tmp_path / "packed.bmp").write_bytes(bmp(picture, 0, packing=1, bits=8))
    (tmp_path / "blue.bmp").write_bytes(bmp(picture, 0, masks=(0xFF, 0xFF00, 0xFF0000)))
    for name, message in (
        ("film.webp", "animated WebP"), ("letter.jpg", "Unknown image file"),
        ("packed.bmp", "a BMP that is packed"), ("blue.bmp", "a BMP that is packed"),
    ):  # fmt: skip
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            saved_model.predict(tmp_path / "pets", [(tmp_path / name).read_bytes()])


def test_an_export_is_compared_by_pictures_that_its_graph_reads(run, photos, tmp_path):
    """The comparison leaves out pictures that an export's decoder cannot read."""
    own = Run(shutil.copytree(run.directory, tmp_path / "run"))
    picture = Image.open(photos[-1])
    text = PngInfo()
    text.add_text("Raw profile type exif", f"\nexif\n       6\n{b'Exif  '.hex()}\n", zip=True)
    picture.save(tmp_path / "film.webp", save_all=True, append_images=[picture.rotate(90)])
    picture.convert("1").save(tmp_path / "one bit.bmp")
    picture.quantize(4).save(tmp_path / "two.bmp")
    picture.save(tmp_path / "text.png", pnginfo=text)
    picture.save(tmp_path / "a.tif")
    (tmp_path / "packed.bmp").write_bytes(bmp(picture, 0xFF << 24, masks=(0xFF, 0xFF00, 0xFF0000)))
    picture.save(tmp_path / "plain.jpg")
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_file())
    lines = "".join(f"{tmp_path / name} 0\n" for name in names)
    for name, content in (("train.txt", ""), ("val.txt", lines), ("test.txt", "")):
        (own.directory / name).write_text(content)
    for format, expected in (
        ("savedmodel", {"plain.jpg", "two.bmp"}),
        ("onnx", {*names} - {"a.tif"}),
    ):
        is_read = exporter.reader(format)
        with parity.pictures_to_compare(own, is_read) as (kind, files):
            assert (kind, {Path(file).name for file in files}) == ("validation pictures", expected)


def test_an_app_finds_labels_and_a_size_in_the_litert_file(run, photos, tmp_path, capsys):
    from ai_edge_litert.interpreter import Interpreter

    path = tmp_path / "pets.tflite"
    run_verb(export, run.directory, "--format", "litert", "--out", path)
    assert "the largest difference from the run on 16 drawn faces: " in capsys.readouterr().out
    with zipfile.ZipFile(path) as archive:  # Android maps it into memory
        assert archive.read("labels.txt").decode().splitlines() == ["cat", "dog"]
        assert archive.getinfo("labels.txt").compress_type == zipfile.ZIP_STORED
    network = Interpreter(str(path))
    (pixels,) = network.get_input_details()
    assert pixels["shape"].tolist() == [1, 32, 32, 3] and pixels["dtype"] == np.uint8
    two = np.stack(parity.pixels([photos[0], photos[0]]))
    found = network.get_signature_runner()(pixels=two)["probabilities"]
    np.testing.assert_allclose(found, predictions(run, [photos[0]] * 2), atol=0.002)


def test_onnx_has_its_labels_and_takes_any_number(run, photos, tmp_path):
    path = tmp_path / "pets.onnx"
    run_verb(export, run.directory, "--format", "onnx", "--out", path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = onnxruntime.InferenceSession(path)
    assert json.loads(session.get_modelmeta().custom_metadata_map["labels"]) == ["cat", "dog"]
    three = np.stack(parity.pixels([photos[0]] * 3))
    (found,) = session.run(["probabilities"], {"pixels": three})
    np.testing.assert_allclose(found, predictions(run, [photos[0]] * 3), atol=0.002)


@pytest.mark.parametrize("format", ["keras", "savedmodel", "litert", "onnx", "html"])
def test_an_export_lies_in_its_run_and_says_how_to_use_it(
    trained_run, tmp_path, format, capsys, monkeypatch
):
    monkeypatch.chdir(trained_run.parent)  # where its pictures are
    run = shutil.copytree(trained_run, tmp_path / "run")
    for _ in range(2):  # the second takes the place of the first
        run_verb(export, run, "--format", format)
    printed = capsys.readouterr().out
    assert "the largest difference from the run on 8 validation pictures: " in printed
    place = Path(printed.split(":")[0])
    assert place == run / exporter.PLACES[format]
    folder = place if place.is_dir() else place.parent
    assert folder.parent == run
    lines = (folder / "README.txt").read_text().splitlines()
    assert lines[0] == f"{place.name}: exported by alexnet_tf" and len(lines) <= 13
    assert lines[-1] == "Classes, in their order: cat, dog"


def test_an_export_that_answers_otherwise_is_not_there(run, tmp_path, monkeypatch):
    def otherwise(model, *rest):
        bias = model.get_layer("fc8").bias
        bias.assign_add([1.0, 0.0])
        return ExportedNetwork(model, *rest)

    monkeypatch.setattr(exporter, "ExportedNetwork", otherwise)
    for format in ("savedmodel", "onnx"):
        with pytest.raises(RunError, match="the export differs from the run"):
            run_verb(export, run.directory, "--format", format, "--out", tmp_path / "pets")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
def test_an_export_touches_nothing_that_is_not_one(run, tmp_path, format):
    """A file, a folder, a link, and in a folder with an export a picture of the user's own."""
    letter, folder, link, mixed = (
        tmp_path / name for name in ("letter", "folder", "link", "mixed")
    )
    letter.write_text("Dear")
    folder.mkdir()
    link.symlink_to(letter)
    mixed.mkdir()
    (mixed / "README.txt").write_text("mixed: exported by alexnet_tf\n")
    (mixed / "my.jpg").write_text("mine")
    for place, message in (
        (letter, "is there already"), (folder, "is there already"), (link, "is a link"),
        (mixed, "is there already"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            run_verb(export, run.directory, "--format", format, "--out", place)
    assert letter.read_text() == "Dear" and (mixed / "my.jpg").read_text() == "mine"


def test_two_exports_and_a_readme_of_the_users_share_a_folder(run, tmp_path):
    (tmp_path / "README.txt").write_text("My shelf\n")
    run_verb(export, run.directory, "--format", "onnx", "--out", tmp_path / "pets.onnx")
    run_verb(export, run.directory, "--format", "onnx", "--out", tmp_path / "pets.onnx")
    assert (tmp_path / "README.txt").read_text() == "My shelf\n"
    assert "pets.onnx" in (tmp_path / "pets.onnx.README.txt").read_text()


def test_without_what_a_format_needs_a_sentence_says_what_to_install(run, monkeypatch):
    monkeypatch.setattr(exporter, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install onnx onnxruntime"):
        run_verb(export, run.directory, "--format", "onnx")


def test_what_does_not_go_together_is_refused(run):
    with pytest.raises(UserError, match="--int8 is for --format litert"):
        run_verb(export, run.directory, "--format", "onnx", "--int8")
    with pytest.raises(UserError, match="say with --out where to write"):
        run_verb(export, "starter", "--format", "onnx")


def test_the_starter_is_exported_too(tmp_path, capsys):
    run_verb(export, "starter", "--format", "onnx", "--out", tmp_path / "starter.onnx")
    assert (tmp_path / "starter.onnx").stat().st_size > 3e6
