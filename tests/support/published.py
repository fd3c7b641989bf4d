"""Data sets as their authors publish them, in small: empty pictures, and what each one means."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
from scipy.io import savemat

from alexnet_tf.data.sources.manifest import TEST, TRAIN, VALIDATION

# The parts of four pictures of a class, where three parts are published, and where there are two.
THREE, TWO = (TRAIN, TRAIN, VALIDATION, TEST), (TRAIN, TRAIN, TRAIN, VALIDATION)
FILES = {TRAIN: "train", VALIDATION: "val", TEST: "test"}


class Layout:
    """Files below `root`, and what is meant: the class and the part of each labelled picture."""

    def __init__(self, root: Path):
        self.root = root
        self.meant: dict[str, tuple[str, str | None]] = {}

    def put(self, path: str, label: str | None = None, part: str | None = None) -> str:
        self.write(path)
        if label:
            self.meant[str(self.root / path)] = label, part
        return path

    def write(self, path: str, *lines: object, end: str = "\n") -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(f"{line}{end}" for line in lines), encoding="utf-8")

    def json(self, path: str, content: object) -> None:
        self.write(path, json.dumps(content))

    def mat(self, path: str, **content: object) -> None:
        self.write(path)
        savemat(self.root / path, content)


def four(*classes: str, parts: tuple = (None,) * 4) -> Iterator[tuple[str, int, str | None]]:
    """Yield class, number and part of four pictures of each class."""
    yield from ((label, number, parts[number]) for label in classes for number in range(4))


def rows(*records: dict[str, object]) -> np.ndarray:
    """Write records as MATLAB's array of structs."""
    return np.array([tuple(r.values()) for r in records], [(name, object) for name in records[0]])


def sun397(x: Layout) -> None:
    for label, n, part in four("a/abbey", "a/airport_terminal", "b/bakery/shop"):
        x.put(f"SUN397/{label}/sun_{label[-3:]}{n}.jpg", label, part)
    x.write("SUN397/ClassName.txt", "/a/abbey", "/a/airport_terminal", "/b/bakery/shop")


def places365(x: Layout) -> None:
    names = "a/abbey", "a/airport_terminal", "b/bakery/shop"
    lists = {TRAIN: [], VALIDATION: []}
    for label, n, part in four(*names, parts=TWO):
        name = f"/{label}/0000{n}.jpg"
        if part == VALIDATION:
            name = f"Places365_val_0000{names.index(label)}.jpg"
        x.put(f"{'val' if part == VALIDATION else 'data'}_256/{name.strip('/')}", label, part)
        lists[part].append(f"{name} {names.index(label)}")
    x.write("filelist/places365_train_standard.txt", *lists[TRAIN])
    x.write("filelist/places365_val.txt", *lists[VALIDATION])
    x.write("filelist/categories_places365.txt", *(f"/{c} {n}" for n, c in enumerate(names)))


def food101(x: Layout) -> None:
    lists = {TRAIN: [], VALIDATION: []}
    for label, n, part in four("apple_pie", "churros", parts=TWO):
        x.put(f"food-101/images/{label}/{n}00{len(label)}.jpg", label, part)
        lists[part].append(f"{label}/{n}00{len(label)}")
    for part, name in ((TRAIN, "train"), (VALIDATION, "test")):
        x.write(f"food-101/meta/{name}.txt", *lists[part])
        by_class = {
            c: [e for e in lists[part] if e.startswith(c)] for c in ("apple_pie", "churros")
        }
        x.json(f"food-101/meta/{name}.json", by_class)
    x.write("food-101/meta/classes.txt", "apple_pie", "churros")
    x.write("food-101/meta/labels.txt", "Apple pie", "Churros")


def cub200(x: Layout) -> None:
    names = "001.Black_footed_Albatross", "002.Laysan_Albatross"
    files, labels, parts = [], [], []
    for number, (label, n, part) in enumerate(four(*names, parts=TWO), 1):
        x.put(f"CUB_200_2011/images/{label}/{label[4:]}_{n}_18.jpg", label, part)
        files.append(f"{number} {label}/{label[4:]}_{n}_18.jpg")
        labels.append(f"{number} {names.index(label) + 1}")
        parts.append(f"{number} {int(part == TRAIN)}")
    x.write("CUB_200_2011/images.txt", *files)
    x.write("CUB_200_2011/image_class_labels.txt", *labels)
    x.write("CUB_200_2011/train_test_split.txt", *parts)
    x.write("CUB_200_2011/classes.txt", *(f"{n} {name}" for n, name in enumerate(names, 1)))
    x.write("CUB_200_2011/bounding_boxes.txt", *(f"{n} 60.0 27.0 325.0 304.0" for n in range(1, 9)))
    x.write("attributes.txt", "1 has_bill_shape::curved_(up_or_down)")


GTSRB = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"


def gtsrb(x: Layout) -> None:
    for label in ("00000", "00001"):
        folder, lines = f"GTSRB/Final_Training/Images/{label}", []
        for n in range(3):
            x.put(f"{folder}/00000_0000{n}.ppm", label, TRAIN)
            lines.append(f"00000_0000{n}.ppm;29;30;5;6;24;25;{int(label)}")
        x.write(f"{folder}/GT-{label}.csv", GTSRB, *lines)
    for n in range(4):
        x.put(f"GTSRB/Final_Test/Images/0000{n}.ppm", f"0000{n % 2}", VALIDATION)
    x.write("GTSRB/Final_Test/Images/GT-final_test.test.csv", GTSRB.rpartition(";")[0],
            *(f"0000{n}.ppm;53;54;6;5;48;49" for n in range(4)))  # fmt: skip
    x.write("GT-final_test.csv", GTSRB, *(f"0000{n}.ppm;53;54;6;5;48;49;{n % 2}" for n in range(4)))


def gtsrb_kaggle(x: Layout) -> None:
    head = "Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path"
    lines = {TRAIN: [], VALIDATION: []}
    for label, n, part in four("0", "1", "10", parts=TWO):
        path = f"Train/{label}/0{label}_0{n}.png" if part == TRAIN else f"Test/000{label}{n}.png"
        lines[part].append(f"53,54,6,5,48,49,{label},{x.put(path, label, part)}")
    x.write("Train.csv", head, *lines[TRAIN])
    x.write("Test.csv", head, *lines[VALIDATION])
    x.write("Meta.csv", "Path,ClassId,ShapeId", *(f"Meta/{c}.png,{c},1" for c in (0, 1, 10)))
    for label in (0, 1, 10):
        x.put(f"Meta/{label}.png")


def tiny_imagenet(x: Layout) -> None:
    for label in ("n01443537", "n01629819"):
        for n in range(3):
            x.put(f"tiny-imagenet-200/train/{label}/images/{label}_{n}.JPEG", label, TRAIN)
        boxes = (f"{label}_{n}.JPEG\t0\t10\t63\t58" for n in range(3))
        x.write(f"tiny-imagenet-200/train/{label}/{label}_boxes.txt", *boxes)
    lines = []
    for n, label in enumerate(("n01443537", "n01629819") * 2):
        x.put(f"tiny-imagenet-200/val/images/val_{n}.JPEG", label, VALIDATION)
        x.put(f"tiny-imagenet-200/test/images/test_{n}.JPEG")
        lines.append(f"val_{n}.JPEG\t{label}\t0\t32\t44\t62")
    x.write("tiny-imagenet-200/val/val_annotations.txt", *lines)
    x.write("tiny-imagenet-200/wnids.txt", "n01443537", "n01629819")
    x.write(
        "tiny-imagenet-200/words.txt", "n01443537\tgoldfish, Carassius auratus", "n01629819\tnewt"
    )


def ilsvrc(x: Layout) -> None:
    train, valid = [], []
    for label, n, part in four("n01440764", "n01443537", parts=TWO):
        name = f"{label}_{n}" if part == TRAIN else f"ILSVRC2012_val_000{label[-2:]}"
        folder = f"train/{label}" if part == TRAIN else "val"
        x.put(f"ILSVRC/Data/CLS-LOC/{folder}/{name}.JPEG", label, part)
        (train if part == TRAIN else valid).append(f"{name},{label} 85 1 499 272 {label} 1 2 3 4 ")
        x.put(f"ILSVRC/Data/CLS-LOC/test/ILSVRC2012_test_{n}.JPEG")
        x.write(f"ILSVRC/Annotations/CLS-LOC/{folder}/{name}.xml", "<annotation/>")
    x.write(
        "ILSVRC/ImageSets/CLS-LOC/val.txt",
        *(f"{v.split(',')[0]} {n}" for n, v in enumerate(valid, 1)),
    )
    x.write("LOC_train_solution.csv", "ImageId,PredictionString", *train)
    x.write("LOC_val_solution.csv", "ImageId,PredictionString", *valid)
    x.write(
        "LOC_sample_submission.csv",
        "ImageId,PredictionString",
        "ILSVRC2012_test_1,n01440764 1 2 3 4",
    )
    x.write("LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca", "n01443537 goldfish")


def pets(x: Layout) -> None:
    lists = {None: [], TEST: []}
    for label, n, part in four("Abyssinian", "american_bulldog", parts=(None, None, None, TEST)):
        x.put(f"images/{label}_{n}.jpg", label, part)
        x.put(f"annotations/trimaps/{label}_{n}.png")
        number = 1 + (label != "Abyssinian")
        lists[part].append(f"{label}_{n} {number} {number} 1")
    x.write("images/Abyssinian_100.mat")
    x.write("annotations/trainval.txt", *lists[None])
    x.write("annotations/test.txt", *lists[TEST])
    x.write("annotations/list.txt", "#Image CLASS-ID SPECIES BREED ID", *lists[None], *lists[TEST])
    x.write("annotations/xmls/Abyssinian_0.xml", "<annotation/>")


def flowers102(x: Layout) -> None:
    labels, parts = [], {TRAIN: [], VALIDATION: [], TEST: []}
    for number, (label, _, part) in enumerate(four("1", "2", "3", parts=THREE), 1):
        x.put(f"jpg/image_{number:05}.jpg", label, part)
        labels.append(int(label))
        parts[part].append(number)
    x.mat("imagelabels.mat", labels=np.array(labels, np.uint8))
    x.mat("setid.mat", trnid=parts[TRAIN], valid=parts[VALIDATION], tstid=parts[TEST])


def cars(x: Layout) -> None:
    names = "AM General Hummer SUV 2000", "Acura RL Sedan 2012"
    annotations = {TRAIN: [], VALIDATION: []}
    for number, (label, _, part) in enumerate(four(*names, parts=TWO), 1):
        folder = "cars_train" if part == TRAIN else "cars_test"
        x.put(f"{folder}/{number:05}.jpg", label, part)
        row = {"bbox_x1": 39, "bbox_y1": 116, "class": 1 + names.index(label),
               "fname": f"{number:05}.jpg"}  # fmt: skip
        annotations[part].append(row)
    x.mat("devkit/cars_train_annos.mat", annotations=rows(*annotations[TRAIN]))
    unlabelled = [{k: v for k, v in row.items() if k != "class"} for row in annotations[VALIDATION]]
    x.mat("devkit/cars_test_annos.mat", annotations=rows(*unlabelled))
    x.mat("cars_test_annos_withlabels.mat", annotations=rows(*annotations[VALIDATION]))
    x.mat("devkit/cars_meta.mat", class_names=np.array(names, object))


def cars_in_one(x: Layout) -> None:
    names = "AM General Hummer SUV 2000", "Acura RL Sedan 2012"
    records = []
    for number, (label, _, part) in enumerate(four(*names, parts=TWO), 1):
        x.put(f"car_ims/{number:06}.jpg", label, part)
        records.append({"relative_im_path": f"car_ims/{number:06}.jpg", "bbox_x1": 3,
                        "class": 1 + names.index(label), "test": int(part != TRAIN)})  # fmt: skip
    x.mat("cars_annos.mat", annotations=rows(*records), class_names=np.array(names, object))


def roboflow(x: Layout) -> None:
    for number, (folder, part) in enumerate(
        (("train", TRAIN), ("valid", VALIDATION), ("test", TEST))
    ):
        lines = []
        for n in range(4):
            x.put(f"{folder}/img{number}{n}_jpg.rf.{n}.jpg", ("Cat", "Dog")[n % 2], part)
            lines.append(f"img{number}{n}_jpg.rf.{n}.jpg, {1 - n % 2}, {n % 2}")
        x.write(f"{folder}/_classes.csv", "filename, Cat, Dog", *lines)
    x.write("README.dataset.txt", "# pets > 2023", "https://universe.roboflow.com/x")


def label_studio(x: Layout) -> None:
    tasks = []
    for label, n, _ in four("Cat", "Dog"):
        x.put(f"images/{n}{label[0]}-photo.jpg", label)
        result = [{"value": {"choices": [label]}, "id": f"r{n}{label}", "from_name": "choice",
                   "to_name": "image", "type": "choices", "origin": "manual"}]  # fmt: skip
        tasks.append({"id": len(tasks) + 1, "annotations": [{"id": n, "completed_by": 1,
                      "result": result, "was_cancelled": False, "lead_time": 1.5 + n}],
                      "data": {"image": f"/data/upload/1/{n}{label[0]}-photo.jpg"},
                      "meta": {}, "project": 1, "predictions": []})  # fmt: skip
    x.json("project-1-at-2024-01-01.json", tasks)


def label_studio_csv(x: Layout) -> None:
    lines = []
    for label, n, _ in four("Cat", "Dog"):
        x.put(f"images/{n}{label[0]}-photo.jpg", label)
        path = f"/data/upload/1/{n}{label[0]}-photo.jpg"
        number = len(lines)
        lines.append(f"{number},1,{label},2024-01-01T1{number}:07:01Z,{number + 1},{path},"
                     f"{1.5 + number},2024-01-01T1{number}:08:01Z")  # fmt: skip
    head = "annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at"
    x.write("project-1.csv", head, *lines)


def label_studio_min(x: Layout) -> None:
    tasks = []
    for label, n, _ in four("Cat", "Dog"):
        x.put(f"media/{n}{label[0]}.jpg", label)
        tasks.append({"image": f"/data/local-files/?d=pets/{n}{label[0]}.jpg", "id": len(tasks),
                      "choice": label, "annotator": 1, "annotation_id": 7 + n,
                      "created_at": f"2024-01-0{n}", "lead_time": 2.5 + n})  # fmt: skip
    x.json("export.json", tasks)


def imagefolder(x: Layout, suffix: str = "csv") -> None:
    for folder, part in (("train", TRAIN), ("validation", VALIDATION)):
        lines = []
        for n in range(4):
            x.put(f"{folder}/000{n}{folder[0]}.png", ("cat", "dog")[n % 2], part)
            lines.append({"file_name": f"000{n}{folder[0]}.png", "label": ("cat", "dog")[n % 2]})
        if suffix == "csv":
            x.write(
                f"{folder}/metadata.csv", "file_name,label", *(",".join(e.values()) for e in lines)
            )
        else:
            x.write(f"{folder}/metadata.jsonl", *map(json.dumps, lines))


def imagefolder_jsonl(x: Layout) -> None:
    imagefolder(x, "jsonl")


def imagefolder_root(x: Layout) -> None:
    lines = []
    for label, n, _ in four("cat", "dog"):
        x.put(f"data/{label[0]}{n}.png", label)
        lines.append(
            json.dumps({"file_name": f"data/{label[0]}{n}.png", "additional": n, "label": label})
        )
    x.write("metadata.jsonl", *lines)


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def write_kaggles_zip(x: Layout) -> None:
    """Write dogs-vs-cats.zip, which holds train.zip and test1.zip."""
    inside = {"sampleSubmission.csv": b"id,label\n1,0\n"}
    for name, files in {"train": [f"train/{c}.{n}.jpg" for c in ("cat", "dog") for n in range(4)],
                        "test1": [f"test1/{n}.jpg" for n in range(4)]}.items():  # fmt: skip
        inner = write_zip(x.root / f"{name}.zip", {path: path.encode() for path in files})
        inside[inner.name] = inner.read_bytes()
        inner.unlink()
    write_zip(x.root / "dogs-vs-cats.zip", dict(sorted(inside.items())))


def numbered(x: Layout) -> None:
    for label, n, _ in four("cat", "dog"):
        x.put(f"photos/{label}_{n:03}.jpg", label)


def bracketed(x: Layout) -> None:
    for label, n, _ in four("red rose", "tulip"):
        x.put(f"{label} ({n + 1}).jpg", label)


def automl(x: Layout) -> None:
    lines = []
    words = {TRAIN: "TRAINING", VALIDATION: "VALIDATION", TEST: "TEST"}
    for label, n, part in four("daisy", "rose", parts=THREE):
        lines.append(f"{words[part]},{x.put(f'images/{label[0]}{n}.jpg', label, part)},{label}")
    x.write("import.csv", *lines)


def automl_bucket(x: Layout) -> None:
    lines = []
    for label, n, part in four("daisy", "rose", parts=THREE):
        x.put(f"images/{label[0]}{n}.jpg", label, part)
        use = {"aiplatform.googleapis.com/ml_use": {TRAIN: "training"}.get(part, part)}
        lines.append({"imageGcsUri": f"gs://bucket/images/{label[0]}{n}.jpg",
                      "classificationAnnotation": {"displayName": label},
                      "dataItemResourceLabels": use})  # fmt: skip
    x.write("import.jsonl", *map(json.dumps, lines))


def mxnet(x: Layout) -> None:
    lists = {TRAIN: [], VALIDATION: []}
    for number, (label, n, part) in enumerate(four("0", "1", parts=TWO)):
        path = x.put(f"caltech/{label}/{n}.jpg", label, part).removeprefix("caltech/")
        lists[part].append(f"{number}\t{label}.000000\t{path}")
    x.write("caltech_train.lst", *lists[TRAIN])
    x.write("caltech_val.lst", *lists[VALIDATION])


def dtd(x: Layout) -> None:
    for label, n, _ in four("banded", "blotchy"):
        x.put(f"dtd/images/{label}/{label}_000{n}.jpg", label)
    for split in range(1, 3):
        for part, numbers in {"train": (split - 1, 2), "val": (2 - split,), "test": (3,)}.items():
            lines = [f"{c}/{c}_000{n}.jpg" for c in ("banded", "blotchy") for n in numbers]
            x.write(f"dtd/labels/{part}{split}.txt", *lines)
    x.write("dtd/labels/labels_joint_anno.txt", "banded/banded_0000.jpg banded dotted ")
    x.write("dtd/imdb/imdb.mat")


def caltech101(x: Layout) -> None:
    for label, n, _ in four("accordion", "anchor"):
        x.put(f"caltech-101/101_ObjectCategories/{label}/image_000{n}.jpg", label)
        x.write(f"caltech-101/Annotations/{label}/annotation_000{n}.mat")


def aircraft(x: Layout) -> None:
    lists = {part: [] for part in THREE}
    for label, n, part in four("707-320", "Boeing 717", parts=THREE):
        x.put(f"data/images/{n}{len(label)}00.jpg", label, part)
        lists[part].append((f"{n}{len(label)}00", label))
    for part, listed in lists.items():
        x.write(f"data/images_variant_{FILES[part]}.txt", *map(" ".join, listed))
        x.write(f"data/images_family_{FILES[part]}.txt", *(f"{n} Boeing 7" for n, _ in listed))
    both = [*lists[TRAIN], *lists[VALIDATION]]
    x.write("data/images_variant_trainval.txt", *map(" ".join, both))
    x.write("data/variants.txt", "707-320", "Boeing 717")
    x.write("data/images_box.txt", "0700 3 144 998 431")


def dogs(x: Layout) -> None:
    lists, names = (
        {TRAIN: [], VALIDATION: []},
        ("n02085620-Chihuahua", "n02085782-Japanese_spaniel"),
    )
    for label, n, part in four(*names, parts=TWO):
        x.put(f"Images/{label}/{label[:9]}_{n}.jpg", label, part)
        x.write(f"Annotation/{label}/{label[:9]}_{n}", "<annotation/>")
        lists[part].append((f"{label}/{label[:9]}_{n}.jpg", 1 + names.index(label)))
    for part, name in ((TRAIN, "train_list"), (VALIDATION, "test_list")):
        files, labels = zip(*lists[part])
        files = np.array(files, object)[:, None]
        x.mat(
            f"{name}.mat", file_list=files, annotation_list=files, labels=np.array(labels)[:, None]
        )


def inaturalist2018(x: Layout) -> None:
    names = {1: "Danaus plexippus", 2: "Corvus corax"}
    for part in (TRAIN, VALIDATION):
        images, annotations = [], []
        for number in range(6):
            category, key = 1 + number % 2, f"{part[0]}{number}"
            path = f"train_val2018/{('Insecta', 'Aves')[number % 2]}/{category}/{key}.jpg"
            images.append({"id": number, "file_name": x.put(path, names[category], part)})
            annotations.append({"id": number, "image_id": number, "category_id": category})
        categories = [{"id": n, "name": name} for n, name in names.items()]
        content = {"images": images, "annotations": annotations, "categories": categories}
        x.json(f"{FILES[part]}2018.json", content)


def inaturalist2021(x: Layout) -> None:
    for label, n, part in four("00000_Animalia_Annelida", "00001_Animalia_Arthropoda", parts=TWO):
        x.put(f"{'train_mini' if part == TRAIN else 'val'}/{label}/{n}.jpg", label, part)


def imagenette(x: Layout) -> None:
    for label, n, part in four("n01440764", "n02102040", parts=TWO):
        x.put(f"imagenette2/{FILES[part]}/{label}/{label}_{n}.JPEG", label, part)
    x.write("imagenette2/noisy_imagenette.csv", "path,noisy_labels_0,is_valid",
            "train/n01440764/n01440764_0.JPEG,n01440764,False")  # fmt: skip


def merced(x: Layout) -> None:
    for label, n, _ in four("agricultural", "airplane"):
        x.put(f"UCMerced_LandUse/Images/{label}/{label}{n:02}.tif", label)
    x.write("UCMerced_LandUse/readme.txt", "21 classes")


def intel(x: Layout) -> None:
    for label, n, part in four("buildings", "forest", parts=TWO):
        folder = "seg_train/seg_train" if part == TRAIN else "seg_test/seg_test"
        x.put(f"{folder}/{label}/{n}.jpg", label, part)
        x.put(f"seg_pred/seg_pred/{n}.jpg")


def isic2019(x: Layout) -> None:
    lines, more = [], []
    for label, n, _ in four("MEL", "NV", "BCC"):
        x.put(f"ISIC_2019_Training_Input/ISIC_{label}{n}.jpg", label)
        hot = ",".join(str(float(label == each)) for each in ("MEL", "NV", "BCC"))
        lines.append(f"ISIC_{label}{n},{hot}")
        more.append(
            f"ISIC_{label}{n},{50 + n},{('torso', 'head')[n % 2]},,{('male', 'female')[n // 2]}"
        )
    x.write("ISIC_2019_Training_GroundTruth.csv", "image,MEL,NV,BCC", *lines)
    x.write(
        "ISIC_2019_Training_Metadata.csv",
        "image,age_approx,anatom_site_general,lesion_id,sex",
        *more,
    )


def cassava(x: Layout) -> None:
    lines = [f"{n}{label}.jpg,{label}" for label, n, _ in four("0", "1")]
    for line in lines:
        x.put(f"train_images/{line[:-2]}", line[-1])
        x.put(f"test_images/9{line[:-2]}")
    x.write("train.csv", "image_id,label", *lines)
    x.json("label_num_to_disease_map.json", {"0": "Bacterial Blight", "1": "Healthy"})
    x.write("sample_submission.csv", "image_id,label", "9.jpg,4")


def aptos(x: Layout) -> None:
    lines = [f"{n:03}a{label},{label}" for label, n, _ in four("0", "1", "2")]
    for line in lines:
        x.put(f"train_images/{line[:-2]}.png", line[-1])
    x.write("train.csv", "id_code,diagnosis", *lines)
    x.write("test.csv", "id_code", "fff")
    x.put("test_images/fff.png")


def csv_below(x: Layout) -> None:
    lines = [f"{label[0]}{n},{label}" for label, n, _ in four("ash", "elm")]
    for line in lines:
        x.put(f"set/photos/all/{line.split(',')[0]}.jpg", line.split(",")[1])
    x.write("set/annotations/labels.csv", "id,species", *lines)


def json_map(x: Layout) -> None:
    names = {x.put(f"pics/{label}{n}.jpg", label): label for label, n, _ in four("ash", "elm")}
    x.json("labels.json", names)


def json_columns(x: Layout) -> None:
    paths = [x.put(f"pics/{label}{n}.jpg", label) for label, n, _ in four("ash", "elm")]
    x.json(
        "labels.json",
        {"image": dict(enumerate(paths)), "tree": dict(enumerate(p[5:8] for p in paths))},
    )


def flag(x: Layout) -> None:
    lines = []
    for label, n, part in four("ash", "elm", parts=TWO):
        lines.append(
            f"{x.put(f'pics/{label}{n}.jpg', label, part)},{label},{int(part == VALIDATION)}"
        )
    x.write("labels.csv", "image,tree,is_valid", *lines)


def ham10000(x: Layout) -> None:
    """Write pictures in two folders, and copies of some in a third."""
    lines = []
    for number, (label, _, _) in enumerate(four("nv", "mel", "bkl")):
        name = f"ISIC_{number:07}"
        x.put(f"HAM10000_images_part_{1 + number % 2}/{name}.jpg", label)
        lines.append(f"HAM_{number // 2:07},{name},{label}")
    x.write("HAM10000_metadata.csv", "lesion_id,image_id,dx", *lines)


def eurosat(x: Layout) -> None:
    lists = {part: [] for part in THREE}
    for number, (label, n, part) in enumerate(four("AnnualCrop", "Forest", parts=THREE)):
        path = x.put(f"EuroSAT/{label}/{label}_{n}.jpg", label, part).removeprefix("EuroSAT/")
        lists[part].append(f"{number},{path},{int(label == 'Forest')},{label}")
    for part, name in ((TRAIN, "train"), (VALIDATION, "validation"), (TEST, "test")):
        x.write(f"EuroSAT/{name}.csv", ",Filename,Label,ClassName", *lists[part])


def imagenet_lists(x: Layout) -> None:
    lists = {TRAIN: [], VALIDATION: []}
    for label, n, part in four("n01440764", "n01443537", parts=TWO):
        folder = f"train/{label}/" if part == TRAIN else "val/"
        x.put(f"imagenet/{folder}{label}_{n}.JPEG", label, part)
        inside = f"{label}/" if part == TRAIN else ""
        lists[part].append(f"{inside}{label}_{n}.JPEG {int(label[-1] == '7')}")
    x.write("imagenet/meta/train.txt", *lists[TRAIN])
    x.write("imagenet/meta/val.txt", *lists[VALIDATION])


def plant_diseases(x: Layout) -> None:
    for label, n, part in four("Apple___Black_rot", "Apple___healthy", parts=TWO):
        folder = "train" if part == TRAIN else "valid"
        x.put(f"New Plant Diseases/New Plant Diseases/{folder}/{label}/{n}.JPG", label, part)
        x.put(f"test/test/AppleScab{n}.JPG")


def malaria(x: Layout) -> None:
    for label, n, _ in four("Parasitized", "Uninfected"):
        x.put(f"cell_images/{label}/{n}.png", label)
        x.put(f"cell_images/cell_images/{label}/{n}.png")


def radiography(x: Layout) -> None:
    for label, n, _ in four("COVID", "Normal"):
        x.put(f"Dataset/{label}/images/{label}-{n}.png", label)
        x.put(f"Dataset/{label}/masks/{label}-{n}.png")


def paddy(x: Layout) -> None:
    lines = []
    for number, (label, n, _) in enumerate(four("blast", "normal")):
        x.put(f"train_images/{label}/1{number:05}.jpg", label)
        x.put(f"test_images/2{number:05}.jpg")
        lines.append(f"1{number:05}.jpg,{label},ADT45,{45 + n}")
    x.write("train.csv", "image_id,label,variety,age", *lines)


def landmarks(x: Layout) -> None:
    lines = []
    for number, (label, _, _) in enumerate(four("142820", "7")):
        name = f"{number}a4f{number:012}"
        x.put(f"train/{name[0]}/{name[1]}/{name[2]}/{name}.jpg", label)
        lines.append(f"{name},{label}")
    x.write("train.csv", "id,landmark_id", *lines)


def actions(x: Layout) -> None:
    for label, n, part in four("applauding", "blowing_bubbles", parts=TWO):
        x.put(f"JPEGImages/{label}_{n:03}.jpg", label, part)
    for name, numbers in (("train", range(3)), ("test", [3])):
        lines = [f"{c}_{n:03}.jpg" for c in ("applauding", "blowing_bubbles") for n in numbers]
        x.write(f"ImageSplits/{name}.txt", *lines)


def fiftyone(x: Layout) -> None:
    labels = {}
    for number, (label, _, _) in enumerate(four("cat", "dog")):
        x.put(f"data/{number:06}.jpg", label)
        labels[f"{number:06}"] = ("cat", "dog").index(label)
    x.json("labels.json", {"classes": ["cat", "dog"], "labels": labels})


def prodigy(x: Layout) -> None:
    lines = []
    for label, n, _ in four("cat", "dog"):
        answer = "reject" if n == 2 else "accept"
        x.put(f"images/{label}{n}.jpg", label if answer == "accept" else None)
        lines.append({"image": f"images/{label}{n}.jpg", "label": label, "answer": answer})
    x.write("annotations.jsonl", *map(json.dumps, lines))


def sagemaker(x: Layout) -> None:
    lines = []
    for number, (label, n, _) in enumerate(four("cat", "dog")):
        x.put(f"images/{number:04}.jpg", label)
        about = {"class-name": label, "confidence": 0.5 + n, "job-name": "labeling-job/pets"}
        lines.append({"source-ref": f"s3://bucket/images/{number:04}.jpg",
                      "pets": int(label == "dog"), "pets-metadata": about})  # fmt: skip
    x.write("output.manifest", *map(json.dumps, lines))


def food11(x: Layout) -> None:
    for label, n, part in four("0", "1", "2", parts=(TRAIN, TRAIN, TRAIN, TRAIN)):
        for folder, part in (("training", TRAIN), ("validation", VALIDATION), ("evaluation", TEST)):
            x.put(f"{folder}/{label}_{n}.jpg", label, part)


def mura(x: Layout) -> None:
    for part, name in ((TRAIN, "train"), (VALIDATION, "valid")):
        studies = []
        for number in range(4):
            kind = number % 2
            study = f"MURA-v1.1/{name}/XR_HAND/patient{number}/study1_{'np'[kind]}/"
            studies.append(f"{study},{kind}")
            for view in range(2):
                x.put(f"{study}image{view}.png", ("negative", "positive")[kind], part)
        x.write(f"MURA-v1.1/{name}_labeled_studies.csv", *studies)


def traffic_signs(x: Layout) -> None:
    """Write pictures without labels beside those with, and what their numbers mean."""
    for label, n, _ in four("0", "1"):
        x.put(f"traffic_Data/DATA/{label}/00{label}_{n}.png", label)
        x.put(f"traffic_Data/TEST/TEST/00{label}_1_{n}.png")
    x.write("labels.csv", "ClassId,Name", "0,Speed limit (5km/h)", "1,Speed limit (15km/h)")


def ships(x: Layout) -> None:
    for n in range(1, 17):
        x.put(f"train/images/{n}.jpg", str(n % 3) if n < 13 else None)
    x.write("train/train.csv", "image,category", *(f"{n}.jpg,{n % 3}" for n in range(1, 13)))
    x.write("test_ApKoW4T.csv", "image", *(f"{n}.jpg" for n in range(13, 17)))


def landmarks_with_urls(x: Layout) -> None:
    lines = []
    for n in range(8):
        x.put(f"train/{n}/a/b/{n}ab{n}.jpg", str(n % 2 * 142820))
        lines.append(f"{n}ab{n},https://upload.example.org/{n}.jpg,{n % 2 * 142820}")
    x.write("train.csv", "id,url,landmark_id", *lines)


def bees(x: Layout) -> None:
    lines = []
    for label, n, part in four("bee1", "wasp1", parts=TWO):
        x.put(f"{label}/{n}.jpg", label, part)
        lines.append(f"{len(lines)},{label}\\{n}.jpg,{int(label == 'bee1')},{int(part != TRAIN)}")
    x.write("labels.csv", "id,path,is_bee,is_validation", *lines)


def simpsons(x: Layout) -> None:
    for label, n, _ in four("bart", "homer"):
        x.put(f"simpsons_dataset/{label}/pic_{n}.jpg", label)
        x.put(f"simpsons_dataset/simpsons_dataset/{label}/pic_{n}.jpg")
        x.put(f"kaggle_testset/kaggle_testset/{label}_{n}.jpg")


def imagenet100(x: Layout) -> None:
    """Write the classes of the training set into several folders."""
    names = "n01440764", "n01443537", "n01484850", "n01491361"
    for label, n, part in four(*names, parts=TWO):
        folder = "val.X" if part == VALIDATION else f"train.X{1 + names.index(label) // 2}"
        x.put(f"{folder}/{label}/{n}.JPEG", label, part)


def covidx(x: Layout) -> None:
    """Write tables divided by spaces, without headings: patient, picture, label and source."""
    for part, name in ((TRAIN, "train"), (TEST, "test")):
        lines = []
        for n in range(8):
            label = ("positive", "negative")[n % 2]
            lines.append(f"{n // 2} {n}{name}.png {label} cohen")
            x.put(f"{name}/{n}{name}.png", label, None if part == TRAIN else part)
        x.write(f"{name}.txt", *lines)


def voc_lists(x: Layout) -> None:
    """Write Pascal VOC without its boxes: a list for each class and part, 1 or -1."""
    for label, n, part in four("cat", "dog", parts=TWO):
        x.put(f"VOCdevkit/VOC2012/JPEGImages/{label[0]}{n}.jpg", label, part)
    for label, part in product(("cat", "dog"), (TRAIN, VALIDATION)):
        numbers = range(3) if part == TRAIN else (3,)
        lines = [f"{own}{n} {' 1' if own == label[0] else '-1'}" for own in "cd" for n in numbers]
        x.write(f"VOCdevkit/VOC2012/ImageSets/Main/{label}_{FILES[part]}.txt", *lines)


def raf(x: Layout) -> None:
    lines = []
    for label, n, part in four("surprise", "fear", "neutral", parts=TWO):
        number = {"surprise": 1, "fear": 2, "neutral": 7}[label]
        name = f"{'train' if part == TRAIN else 'test'}_{number}{n:04}"
        x.put(f"basic/Image/aligned/{name}_aligned.jpg", label, part)
        lines.append(f"{name}.jpg {number}")
    x.write("basic/EmoLabel/list_patition_label.txt", *lines)


def deepfashion(x: Layout) -> None:
    """Write the tables below a count and headings, and folders that are not the classes."""
    labels, parts = [], []
    for label, n, part in four("Blazer", "Tee", parts=THREE):
        path = x.put(f"img/Striped_{n}/img_{label}.jpg", label, part)
        labels.append(f"{path}    {('Blazer', 'Tee').index(label) + 1}")
        parts.append(f"{path}    {FILES[part]}")
    x.write("Anno_coarse/list_category_cloth.txt", 2, "category_name type", "Blazer 1", "Tee 1")
    x.write("Anno_coarse/list_category_img.txt", 8, "image_name category_label", *labels)
    x.write("Eval/list_eval_partition.txt", 8, "image_name evaluation_status", *parts)


def coil(x: Layout) -> None:
    for label, n, _ in four("obj1", "obj20"):
        x.put(f"coil-100/{label}__{5 * n}.png", label)


def indoor(x: Layout) -> None:
    for label, n, part in four("bakery", "kitchen", parts=TWO):
        x.put(f"Images/{label}/int{n}_{label}.jpg", label, part)
    for name, numbers in (("Train", range(3)), ("Test", (3,))):
        files = [f"{label}/int{n}_{label}.jpg" for label in ("bakery", "kitchen") for n in numbers]
        x.write(f"{name}Images.txt", *files)


def pacs(x: Layout) -> None:
    """Write three lists for each of two domains."""
    for domain, (name, part) in product(
        ("photo", "sketch"), (("train", TRAIN), ("crossval", VALIDATION), ("test", TEST))
    ):
        files = [
            x.put(f"kfold/{domain}/{('dog', 'horse')[n % 2]}/{name}{n}.jpg", str(n % 2 + 1), part)
            for n in range(4)
        ]
        lines = [f"{file.removeprefix('kfold/')} {n % 2 + 1}" for n, file in enumerate(files)]
        x.write(f"splits/{domain}_{name}_kfold.txt", *lines)


def domainnet(x: Layout) -> None:
    for domain in ("real", "sketch"):
        lists: dict[str, list[str]] = {TRAIN: [], VALIDATION: []}
        for label, n, part in four("aircraft_carrier", "zebra", parts=TWO):
            path = x.put(f"{domain}/{label}/{domain}_{n:06}.jpg", label, part)
            lists[part].append(f"{path} {('aircraft_carrier', 'zebra').index(label)}")
        x.write(f"{domain}_train.txt", *lists[TRAIN])
        x.write(f"{domain}_test.txt", *lists[VALIDATION])


def eurosat_of_bands(x: Layout) -> None:
    """Write EuroSAT as published: in colours, and beside it of 13 bands."""
    for label, n, _ in four("AnnualCrop", "Forest"):
        x.put(f"2750/{label}/{label}_{n}.jpg", label)
        x.put(f"EuroSATallBands/tif/{label}/{label}_{n}.tif")


def labelme_flags(x: Layout) -> None:
    for label, n, part in four("cat", "dog", parts=TWO):
        path = x.put(f"{FILES[part]}/{label}{n}.jpg", label, part)
        flags = {name: name == label for name in ("cat", "dog")}
        content = {"version": "5.4.1", "flags": flags, "shapes": [], "imagePath": Path(path).name}
        x.json(f"{FILES[part]}/{label}{n}.json", content)


def colon(x: Layout) -> None:
    """Write two folders of which only one is named after its part."""
    for label, n, _ in four("ADI", "TUM"):
        x.put(f"NCT-CRC-HE-100K/{label}/{label}-{n}.tif", label, TRAIN)
        x.put(f"CRC-VAL-HE-7K/{label}/{label}-V{n}.tif", label, VALIDATION)


def kvasir(x: Layout) -> None:
    for label, n, _ in four("polyp", "ulcer"):
        x.put(f"labelled_images/{label}/{label[0]}0a{n}.jpg", label)
        x.put(f"unlabelled_images/{label[0]}0b{n}.jpg")


# Name of each source that is read → the function that makes it.
READ: dict[str, Callable[[Layout], None]] = {
    "SUN397": sun397, "Places365": places365, "Food-101": food101, "CUB-200": cub200,
    "GTSRB": gtsrb, "GTSRB by Kaggle": gtsrb_kaggle, "Tiny ImageNet": tiny_imagenet,
    "ILSVRC": ilsvrc, "Oxford-IIIT Pet": pets, "Flowers-102": flowers102, "Stanford Cars": cars,
    "Stanford Cars in one folder": cars_in_one, "Roboflow": roboflow,
    "Label Studio, JSON": label_studio, "Label Studio, CSV": label_studio_csv,
    "Label Studio, JSON-MIN": label_studio_min, "imagefolder, CSV": imagefolder,
    "imagefolder, JSON lines": imagefolder_jsonl, "imagefolder, one table": imagefolder_root,
    "cat_001.jpg": numbered, "cat (1).jpg": bracketed,
    "AutoML, CSV": automl, "Vertex AI, JSON lines": automl_bucket, "MXNet's .lst": mxnet,
    "DTD": dtd, "Caltech-101": caltech101, "FGVC-Aircraft": aircraft, "Stanford Dogs": dogs,
    "iNaturalist 2018": inaturalist2018, "iNaturalist 2021": inaturalist2021,
    "Imagenette": imagenette, "UC Merced": merced, "Intel scenes": intel, "ISIC 2019": isic2019,
    "Cassava": cassava, "APTOS 2019": aptos, "a table beside the folder of pictures": csv_below,
    "JSON: name to label": json_map, "JSON by pandas": json_columns, "is_valid": flag,
    "HAM10000": ham10000, "EuroSAT by Kaggle": eurosat, "MMPretrain": imagenet_lists,
    "New Plant Diseases": plant_diseases, "malaria": malaria, "COVID radiography": radiography,
    "Paddy": paddy, "landmarks": landmarks, "Stanford 40": actions, "FiftyOne": fiftyone,
    "Prodigy": prodigy, "SageMaker": sagemaker, "Food-11": food11, "MURA": mura,
    "traffic signs": traffic_signs, "Game of ships": ships, "landmarks, URLs": landmarks_with_urls,
    "bees and wasps": bees, "The Simpsons": simpsons,
    "ImageNet100": imagenet100, "COVIDx": covidx, "VOC without boxes": voc_lists, "RAF-DB": raf,
    "DeepFashion": deepfashion, "COIL-100": coil, "MIT Indoor-67": indoor, "PACS": pacs,
    "DomainNet": domainnet, "EuroSAT": eurosat_of_bands, "LabelMe's flags": labelme_flags,
    "NCT-CRC-HE-100K": colon, "Kvasir-Capsule": kvasir,
}  # fmt: skip


def coco(x: Layout) -> None:
    for part in ("train", "val"):
        images = [{"id": n, "file_name": f"{part}{n}.jpg"} for n in range(3)]
        for image in images:
            x.put(f"{part}2017/{image['file_name']}")
        boxes = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4]} for n in range(3)]
        content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
        x.json(f"annotations/instances_{part}2017.json", content)


def yolo(x: Layout) -> None:
    for n in range(3):
        x.put(f"train/images/{n}.jpg")
        x.put(f"valid/images/{n}.jpg")
        x.write(f"train/labels/{n}.txt", "0 0.5 0.5 0.25 0.25", "1 0.1 0.1 0.05 0.05")
        x.write(f"valid/labels/{n}.txt", "0 0.5 0.5 0.25 0.25")
    x.write("data.yaml", "names: [cat, dog]")


def yolo_by_kind(x: Layout) -> None:
    for part in ("train", "val"):
        for n in range(3):
            x.put(f"images/{part}/{n}.jpg")
            x.write(f"labels/{part}/{n}.txt", "0 0.5 0.5 0.25 0.25")


def voc(x: Layout) -> None:
    for n in range(3):
        x.put(f"VOC2012/JPEGImages/{n}.jpg")
        x.put(f"VOC2012/SegmentationClass/{n}.png")
        x.write(f"VOC2012/Annotations/{n}.xml", "<annotation><object><bndbox></bndbox></object>")
    x.write("VOC2012/ImageSets/Main/train.txt", "0", "1")
    x.write("VOC2012/ImageSets/Main/cat_train.txt", "0 -1", "1  1")


def masks(x: Layout) -> None:
    for n in range(3):
        x.put(f"train/images/{n}.jpg")
        x.put(f"train/masks/{n}.png")


def chest_xrays(x: Layout) -> None:
    lines = []
    for n, label in enumerate(("Hernia", "Mass", "Hernia|Mass", "No Finding")):
        x.put(f"images_001/images/0000{n}.png")
        lines.append(f"0000{n}.png,{label},{n},{40 + n}")
    x.write("Data_Entry_2017.csv", "Image Index,Finding Labels,Follow-up #,Patient Age", *lines)


def attributes(x: Layout) -> None:
    lines = [f"{n}.jpg,{n % 2},{n // 2},{n % 3 % 2}" for n in range(4)]
    for n in range(4):
        x.put(f"img/{n}.jpg")
    x.write("list_attr.csv", "image_id,Bald,Smiling,Young", *lines)


def chexpert(x: Layout) -> None:
    lines = []
    for n in range(6):
        path = x.put(f"CheXpert/train/patient0000{n}/study1/view1_frontal.jpg")
        lines.append(f"{path},{('Male', 'Female')[n % 2]},{60 + n},{n % 2 or ''},-1.0,1.0")
    x.write("CheXpert/train.csv", "Path,Sex,Age,No Finding,Edema,Fracture", *lines)


def ansi(x: Layout) -> None:
    lines = [f"{x.put(f'Bilder/{n}.jpg')};{('Äpfel', 'Öl')[n % 2]}" for n in range(4)]
    text = "\n".join(["Datei;Klasse", *lines])
    (x.root / "Tabelle.csv").write_bytes(text.encode("cp1252"))


def identities(x: Layout) -> None:
    for n in range(6):
        x.put(f"faces/{n:06}.jpg")
    x.write("list_eval_partition.csv", "image_id,partition",
            *(f"{n:06}.jpg,{n % 3}" for n in range(6)))  # fmt: skip


def amazon(x: Layout) -> None:
    words = "haze primary", "clear primary", "clear primary water", "clear", "haze", "primary"
    for n in range(12):
        x.put(f"train-jpg/train_{n}.jpg")
    lines = (f"train_{n},{words[n % 6]}" for n in range(12))
    x.write("train_v2.csv", "image_name,tags", *lines)


def create_ml(x: Layout) -> None:
    records = []
    for n in range(6):
        box = {"x": 1, "y": 2, "width": 3, "height": 4}
        boxes = [{"label": "cat", "coordinates": box | {"x": k}} for k in range(1 + n % 2)]
        records.append({"image": x.put(f"{n}.jpg"), "annotations": boxes})
    x.json("_annotations.createml.json", records)


def office31(x: Layout) -> None:
    for domain in ("amazon", "dslr"):
        for label, n, _ in four("back_pack", "bike"):
            x.put(f"{domain}/images/{label}/frame_{n}.jpg")


def two_of_them(x: Layout) -> None:
    for name, classes in {"pets": ("cat", "dog"), "cars": ("audi", "seat")}.items():
        for label, n, part in four(*classes, parts=TWO):
            x.put(f"{name}/{FILES[part]}/{label}/{n}.jpg")


def ages(x: Layout) -> None:
    for n in range(12):
        x.put(f"faces/{n}.jpg")
    x.write("age.csv", "file,age", *(f"{n}.jpg,{17 + 5 * n}" for n in range(12)))


def fashion(x: Layout) -> None:
    lines = []
    for n in range(8):
        x.put(f"images/{1000 + n}.jpg")
        kind = ("Apparel", "Footwear")[n // 4], ("Shirt", "Jeans", "Shoes", "Flip Flops")[n // 2]
        lines.append(f"{1000 + n},{('Men', 'Women')[n % 2]},{','.join(kind)},2012,shirt number {n}")
    head = "id,gender,masterCategory,articleType,year,productDisplayName"
    x.write("styles.csv", head, *lines)


def celeba(x: Layout) -> None:
    """Write the tables as their authors have them: below a count, divided by spaces."""
    rows, names, parts = [], [], []
    for n in range(12):
        x.put(f"Img/img_align_celeba/{n:06}.jpg")
        rows.append(f"{n:06}.jpg {' 1' if n % 2 else '-1'} -1")
        names.append(f"{n:06}.jpg {n % 3}")
        parts.append(f"{n:06}.jpg {n // 4}")
    x.write("Anno/list_attr_celeba.txt", "12", "Smiling Young ", *rows)
    x.write("Anno/identity_CelebA.txt", *names)
    x.write("Eval/list_eval_partition.txt", *parts)


def celeba_by_kaggle(x: Layout) -> None:
    for n in range(12):
        x.put(f"img_align_celeba/img_align_celeba/{n:06}.jpg")
    rows = (f"{n:06}.jpg,{1 if n % 2 else -1},-1" for n in range(12))
    x.write("list_attr_celeba.csv", "image_id,Smiling,Young", *rows)
    parts = (f"{n:06}.jpg,{n // 4}" for n in range(12))
    x.write("list_eval_partition.csv", "image_id,partition", *parts)
    boxes = (f"{n:06}.jpg,9{n},71,226,{300 + n}" for n in range(12))
    x.write("list_bbox_celeba.csv", "image_id,x_1,y_1,width,height", *boxes)


def breakhis(x: Layout) -> None:
    inner = ("benign/SOB/adenosis", "benign/SOB/tumor", "malignant/SOB/ductal")
    for path in (*inner, "malignant/SOB/lobular"):
        name = path.rpartition("/")[2]
        for scale, n in product(("40X", "100X"), range(2)):
            x.put(f"BreaKHis_v1/breast/{path}/SOB_{name}_14/{scale}/{n}.png")


def patients(x: Layout) -> None:
    for label, n, _ in four("0", "1"):
        for number in (8863, 9036):
            x.put(f"{number}/{label}/{number}_{n}.png")
            x.put(f"IDC_regular/{number}/{label}/{number}_{n}.png")


def labelme(x: Layout) -> None:
    for n in range(6):
        shapes = [{"label": "cat", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"}]
        path = x.put(f"images/{n}.jpg")
        x.json(f"images/{n}.json", {"flags": {}, "shapes": shapes, "imagePath": path})


def via(x: Layout) -> None:
    """Write what the VGG Image Annotator exports: JSON in the cells of a CSV."""
    shape, kind = '{""name"":""rect"",""x"":1,""y"":2}', '{""type"":""cat""}'
    lines = [f'{x.put(f"{n}.jpg")},1{n},1,0,"{shape}","{kind}"' for n in range(6)]
    head = "filename,file_size,region_count,region_id,region_shape_attributes,region_attributes"
    x.write("via_region_data.csv", head, *lines)


def damage(x: Layout) -> None:
    for n in range(3):
        x.put(f"train/images/{n}_pre_disaster.png")
        x.put(f"train/targets/{n}_pre_disaster_target.png")


def dollar_street(x: Layout) -> None:
    lines = [f"{x.put(f'{n}.jpg')},image,{('cups', 'beds')[n // 4]},{n}.5" for n in range(8)]
    x.write("images.csv", "imageRelPath,type,topics,income", *lines)


# Sources that are refused → the function that makes each, and the message.
REFUSED: dict[str, tuple[Callable[[Layout], None], str]] = {
    "COCO": (coco, r"instances_train2017.json: holds boxes around objects \(COCO\)"),
    "YOLO": (yolo, r"x: holds boxes around objects \(YOLO, such as x/train/labels/0.txt\)"),
    "YOLO, images and labels": (yolo_by_kind, r"x: holds boxes around objects \(YOLO, "),
    "VOC": (voc, r"x: holds boxes around objects \(VOC\), and lists 0 .* --label cat"),
    "masks": (masks, r"x: holds masks \(images beside masks\), so it is for segmentation"),
    "ChestX-ray14": (chest_xrays, r"has several labels for a picture, such as 'Hernia\|Mass'"),
    "CelebA": (
        celeba,
        r"celeba.txt: has the attributes Smiling, Young; name one .* --label Smiling",
    ),
    "CelebA by Kaggle": (celeba_by_kaggle, r"celeba.csv: has the attributes Smiling, Young; name"),
    "BreakHis": (
        breakhis,
        r"one level .*: --label 1 \(benign, malignant\); --label 3 \(adenosis, duct",
    ),
    "IDC": (patients, r"x/8863 and x/9036: hold the same folders, 0 and 1, .* --label 2 \(0, 1\)"),
    "LabelMe": (labelme, r"holds boxes around objects \(LabelMe, such as x/images/0.json\)"),
    "VIA": (via, r"via_region_data.csv: holds boxes around objects, or their outlines, several"),
    "attributes": (
        attributes,
        r"the columns Bald, Smiling, Young hold 0 and 1.*name one of them with",
    ),
    "CheXpert": (chexpert, r"train.csv: the columns No Finding, Edema, Fracture hold 0 and 1, but"),
    "Excel's CSV": (ansi, r"x/Tabelle.csv: cannot be read, for it is no UTF-8 text"),
    "a split alone": (
        identities,
        r"partition.csv: names pictures, but has no column of their labe",
    ),
    "Planet": (amazon, r"has several labels for a picture, such as '(clear|haze) primary'"),
    "Create ML": (create_ml, r"createml.json: holds boxes around objects, or their outlines"),
    "Office-31": (office31, r"x/amazon and x/dslr: hold the same folders, back_pack and bike"),
    "two data sets": (two_of_them, r"x: holds several data sets, x/cars/train, x/pets/train; name"),
    "xView2": (damage, r"x: holds masks \(images beside targets\), so it is for segmentation"),
    "Dollar Street": (dollar_street, r"could be .* 'topics' \(cups, beds\)"),
    "ages": (ages, r"the column 'age' looks like numbers, 12 different ones"),
    "Fashion product images": (fashion, r"'gender' \(Men, Women\); the column 'masterCategory'"),
}
