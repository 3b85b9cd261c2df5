"""The named data sets, and one door to all data: `load`.

A new named set is one entry here; a new format is a file in `sources/` as well.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from rungwise.data.decoded import remembered
from rungwise.data.download import fetch
from rungwise.data.images import BadFiles, Dataset
from rungwise.data.origin import Origin
from rungwise.data.places import cache_folder, places
from rungwise.data.sources.cifar import CifarArchive
from rungwise.data.sources.digits import Digits
from rungwise.data.sources.files import holds_files, load_files
from rungwise.data.sources.idx import IdxFiles
from rungwise.data.sources.npz import read_npz
from rungwise.data.sources.packed import require_unpacked
from rungwise.data.sources.picture import ImageSize, height_and_width
from rungwise.data.sources.pixel_table import holds_pixels, read_pixel_table
from rungwise.data.sources.survey import Progress
from rungwise.data.spec import Spec, as_spec, parse_spec
from rungwise.data.split import with_test_share
from rungwise.data.subset import require_per_class
from rungwise.errors import ConfigError, DataError, UnknownNameError
from rungwise.host import set_aside

_NUMERALS = tuple("0123456789")


@dataclass(frozen=True, kw_only=True)
class NamedSet:
    """What is known of a named set before any file is opened.

    Args:
        description: One line.
        class_names: The classes, in the order of their labels.
        shape: (C, H, W) of one image.
        counts: Number of images by part.
        source: Who made it, where it is described, and its licence.
        origin: Its files: where to get them and how to read them.
    """

    description: str
    class_names: tuple[str, ...]
    shape: tuple[int, int, int]
    counts: Mapping[str, int]
    source: str
    origin: Origin


CATALOG: dict[str, NamedSet] = {
    "digits": NamedSet(
        description="handwritten digits, tiny, part of scikit-learn: always there",
        class_names=_NUMERALS,
        shape=(1, 8, 8),
        counts={"train": 1438, "test": 359},
        source="Alpaydin & Kaynak 1998, UCI Machine Learning Repository, CC BY 4.0",
        origin=Digits(),
    ),
    "mnist": NamedSet(
        description="handwritten digits",
        class_names=_NUMERALS,
        shape=(1, 28, 28),
        counts={"train": 60_000, "test": 10_000},
        source="LeCun, Cortes, Burges 1998, CC BY-SA 3.0 as commonly stated",
        origin=IdxFiles(
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
            ),
            identities={
                "train-images-idx3-ubyte": "bbce27659e0fc2b7ed2a64c127849380a477099b",
                "train-labels-idx1-ubyte": "d6b4c5db3b52063d543fb397aede09aba0dc5234",
                "t10k-images-idx3-ubyte": "1170b2cae98de7a524b163fcc379ac8f00925b12",
                "t10k-labels-idx1-ubyte": "d1c3a970612bbd2df47a3c0697f82bd394abc450",
            },
        ),
    ),
    "fashion-mnist": NamedSet(
        description="photos of clothes, as small and as many as MNIST, but harder",
        class_names=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        shape=(1, 28, 28),
        counts={"train": 60_000, "test": 10_000},
        source="Xiao, Rasul, Vollgraf 2017, arXiv:1708.07747, Zalando Research, MIT",
        origin=IdxFiles(
            mirrors=(
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ),
            identities={
                "train-images-idx3-ubyte": "ff2f5a96367a3c1656f09c93649f07143ff8b11e",
                "train-labels-idx1-ubyte": "30424ca2ea876655f5bba14f9f07132769687975",
                "t10k-images-idx3-ubyte": "37bac79bc6f002d965f363e0b20514904504a4d9",
                "t10k-labels-idx1-ubyte": "2195a4d0957e013db98d03e51697e2315816cce2",
            },
        ),
    ),
    "cifar10": NamedSet(
        description="colour photos of animals and vehicles",
        class_names=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        shape=(3, 32, 32),
        counts={"train": 50_000, "test": 10_000},
        source="Krizhevsky 2009, University of Toronto; no licence stated, cite the report",
        origin=CifarArchive(
            mirrors=("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            known_hash="md5:c32a1d4ab5d03f1284b67883e8d87530",
            identities={
                "data_batch_1.bin": "da09f891072747be90e69e4f00ba7cba870dc87e",
                "data_batch_2.bin": "7e958840b7a55df3353574298ebc9ca0e4bba48e",
                "data_batch_3.bin": "5259a3e9674ffdf2d5c33a1067f7192ff06c9e2f",
                "data_batch_4.bin": "301e7d16d78428f13262e87a5bc78ed45b8224aa",
                "data_batch_5.bin": "51fe428dfbdd065852912743ae8b7b63bb1e9d8d",
                "test_batch.bin": "e3f3b4653f18f27ada1558cabc3352a3ed1b25cc",
            },
        ),
    ),
}


@set_aside()
def load(
    source: str | Path,
    *,
    offline: bool = False,
    image_size: ImageSize | None = None,
    bad_files: BadFiles = "stop",
    test_share: float | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Load a named set, a folder or a table of images, or an `.npz` file.

    A named set is looked for in `$RUNGWISE_DATA/<name>/`, then in the cache, then downloaded;
    its content is verified wherever it lies. What was decoded once is kept in the cache, is mapped
    into memory from there, and is decoded anew when its files have changed.

    Args:
        source: `mnist`, `./photos`, `photos.csv`, `photos.parquet`, `/data/photos.npz`, each also
            with `@n`: a run then draws `n` training images of each class. A name of the catalog
            goes before a folder of that name in the working directory; write `./mnist`, or
            `Path("mnist")`, for the folder.
        offline: Never download.
        image_size: Side length, or (height, width), that the image files of a folder or a table
            are resized to.
        bad_files: What an image file that cannot be read does: `stop` the loading, or be left out
            (`skip`), which `notes` then tells.
        test_share: Share of the training images of each class that becomes the test part, where
            the data have none, such as 0.2; the same images each time.
        progress: Called now and then with the number of image files that were read, and of all.

    Returns:
        The whole data set; `per_class` holds the `n` of `@n` (drawn later, by `parts.draw`).

    Raises:
        UnknownNameError: `source` is neither a name of the catalog nor a path.
        UsageError: It is no text and no `Path`, or the table needs an extra that is not installed.
        ConfigError: `@n` is no positive number, `bad_files` is none of the two, `image_size` or
            `bad_files` is given where there are no image files, or `test_share` where there is a
            test part.
        DataError: The data are missing, damaged, or a class has fewer than `n` images.
        StorageError: A download cannot be written.
    """
    if bad_files not in get_args(BadFiles):
        raise UnknownNameError("way with bad files", bad_files, get_args(BadFiles))
    spec = as_spec(source)
    wanted, size = parse_spec(spec, CATALOG), height_and_width(image_size)
    if wanted.path is None:
        _require_no_effect(wanted.source, image_size, bad_files)
        dataset = _load_named(wanted, offline)
    elif holds_files(wanted.path):
        dataset = load_files(wanted.source, wanted.path, size, bad_files, progress)
    else:
        dataset = _load_archive(wanted.source, wanted.path)
        _require_no_effect(wanted.source, image_size, bad_files)
    dataset = dataset.named()
    if test_share is not None:
        dataset = with_test_share(dataset, test_share)
    if wanted.per_class is not None:
        require_per_class(dataset.train, wanted.per_class)
    return replace(
        dataset,
        name=spec,
        per_class=wanted.per_class,
        image_size=size,
        bad_files=bad_files,
    )


def load_as_recorded(record: Mapping[str, Any], *, offline: bool = False) -> Dataset:
    """Load the data set that a run's or a climb's record names.

    Image files that cannot be read are left out, whatever was decided about them for the training:
    they may have come since. Whether the rest is what was trained on, its fingerprint tells, and
    the caller has to look.

    Args:
        record: `data`, the spec, `image_size` and, where a part was set aside, `test_share`.
        offline: Never download.

    Raises:
        DataError, StorageError: As `load`.
    """
    spec, size = str(record["data"]), record["image_size"]
    path = parse_spec(spec, CATALOG).path
    if path is not None and not path.exists():
        raise DataError(
            f"the training's data set {spec} is not there: {path.absolute()} does not exist",
            expected="the data at the path that was given to the training, seen from this folder",
            fix="give the command in the folder in which the training was started, or name the "
            "data where they are now: `rungwise evaluate RUN DATA`",
        )
    return load(
        spec,
        offline=offline,
        image_size=tuple(size) if size else None,
        bad_files="skip" if resizes(spec) else "stop",
        test_share=record.get("test_share"),
    )


def resizes(spec: str) -> bool:
    """Tell whether a spec names image files, which an image size has an effect on.

    Raises:
        UnknownNameError: It is neither a name of the catalog nor a path.
    """
    path = parse_spec(spec, CATALOG).path
    return path is not None and holds_files(path)


def get(name: str, *, offline: bool = False) -> Path:
    """Return the folder that holds the files of a named set; download them if there is none.

    Args:
        name: A name of the catalog, without `@n`.
        offline: Never download.

    Raises:
        UnknownNameError: The name is not in the catalog.
        DataError: The files are nowhere and cannot be downloaded.
        StorageError: The cache cannot be written.
    """
    if name not in CATALOG:
        raise UnknownNameError("data set", name, CATALOG)
    origin = CATALOG[name].origin
    for folder in places(name):
        if not origin.missing(folder):
            return folder
    if offline:
        raise _not_here(name, origin)
    fetch(origin.downloads(), cache_folder(name))
    return cache_folder(name)


def _load_named(wanted: Spec, offline: bool) -> Dataset:
    entry = CATALOG[wanted.source]
    folder = get(wanted.source, offline=offline).resolve()
    return remembered(
        wanted.source,
        f"{folder} {entry.origin} {entry.class_names}",
        entry.origin.files(folder),
        lambda: Dataset(wanted.source, *entry.origin.read(folder, entry.class_names)),
    )


def _load_archive(source: str, path: Path) -> Dataset:
    if path.suffix.lower() == ".npz" and path.exists():
        return _arrays(path, lambda: read_npz(path, source))
    if holds_pixels(path):
        return _arrays(path, lambda: read_pixel_table(path, source))
    if path.suffix.lower() == ".npy" and path.exists():
        raise DataError(
            f"{path} is a single array, without labels",
            expected="an .npz file, which holds images and their labels",
            fix="numpy.savez('data.npz', images=images, labels=labels)",
        )
    require_unpacked(path)
    raise DataError(
        f"{path} is not a data set" if path.exists() else f"{path} does not exist",
        expected="a folder of images, a table of images (.csv, .tsv, .parquet) or an .npz file",
        fix=f"check the path, or use one of the named sets: {', '.join(CATALOG)}",
    )


def _arrays(path: Path, read: Callable[[], Dataset]) -> Dataset:
    place = path.resolve()
    return remembered(place.name, str(place), (place,), read)


def _require_no_effect(source: str, image_size: ImageSize | None, bad_files: BadFiles) -> None:
    if image_size is not None:
        raise ConfigError(
            f"an image size of {image_size} has no effect on {source}",
            expected="an image size only for folders and tables of image files",
            fix="leave the image size out",
        )
    if bad_files != "stop":
        raise ConfigError(
            f"bad_files={bad_files!r} has no effect on {source}",
            expected="a decision about bad files only for folders and tables of image files",
            fix="leave it out",
        )


def _not_here(name: str, origin: Origin) -> DataError:
    lacking = [f"{folder} lacks {', '.join(origin.missing(folder))}" for folder in places(name)]
    return DataError(
        f"{name} is not on this machine, and downloads are off:\n    " + "\n    ".join(lacking),
        expected=f"its files in one folder: {', '.join(d.name for d in origin.downloads())}",
        fix=f"run `rungwise data get {name}` while online, or set RUNGWISE_DATA to a folder "
        f"that holds {name}/",
    )
