"""TensorFlow Datasets, read from prepared ArrayRecord files without TensorFlow."""

import contextlib
import difflib
import importlib.util
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import UInt8

from genlab.data.config import Data
from genlab.data.images import CHANNELS, decode, is_binary, one_line
from genlab.data.splits import Examples, Indices, OnDisk, Source, Split
from genlab.errors import Invalid

# In a process of its own, so that TensorFlow never enters the one that trains.
PREPARE = """
import sys, tensorflow_datasets as tfds
tfds.builder(sys.argv[1], data_dir=sys.argv[2] or None, file_format="array_record").download_and_prepare()
"""


def records(config: Data) -> Source:
    """The set tfds:<name> in its own splits: its feature "image" and, where there is one, the class "label".

    Where all training images have no values but 0 and 1, as those of binarized_mnist, these are black and white. A
    set that is not yet prepared is prepared where TensorFlow is installed.
    """
    import tensorflow_datasets as tfds

    with _quiet():
        builder = _prepared(config)
        try:
            # Bytes, not decoded examples: an Example's two fields are all that is needed, and this is twice as fast.
            sources = builder.as_data_source(deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES)
        except Exception as error:
            raise Invalid(f"data.name: {config.name}; ArrayRecord files are needed, {one_line(error)}") from error
    features = dict(builder.info.features)
    image, label = features.get("image"), features.get("label")
    shape = image.shape if isinstance(image, tfds.features.Image) and image.np_dtype == np.uint8 else (0,)
    if shape[-1] not in CHANNELS.values():
        raise Invalid(f"data.name: {config.name} has {one_line(features)}; an 8-bit image of 1 or 3 channels is needed")
    if config.image_size is not None:
        shape = (config.image_size, config.image_size, shape[-1])
    if None in shape:
        raise Invalid(f"data.image_size: None; {config.name} has images of many sizes and needs one from 8 to 64")
    if "train" not in sources:
        raise Invalid(f"data.name: {config.name} has splits {', '.join(sources)}; train is needed")
    classes = tuple(label.names) if isinstance(label, tfds.features.ClassLabel) else ()
    own = [name for name in ("train", "validation", "test") if name in sources]
    mode = next(mode for mode, channels in CHANNELS.items() if channels == shape[-1])

    def brightest(indices: Indices) -> int:
        return max(int(x.max()) for x, _ in _images(config, sources["train"], indices, mode, None))

    bits = is_binary(len(sources["train"]), brightest)

    def split(source: Any) -> Split:
        def fetch(indices: Indices) -> Examples:
            x, label = np.empty((len(indices), *shape), np.uint8), np.zeros(len(indices), np.int32)
            for i, (image, fields) in enumerate(_images(config, source, indices, mode, config.image_size, bits)):
                x[i], label[i] = image, fields["label"].int64_list.value[0] if classes else 0
            return Examples(x, label)

        return OnDisk(len(source), fetch)

    return shape, classes, {name: split(sources[name]) for name in own}


def _images(
    config: Data, source: Any, indices: Indices, mode: str, side: int | None, bits: bool = False
) -> Iterator[tuple[UInt8[np.ndarray, "h w c"], Any]]:
    """Each record's image, and all of its fields."""
    from tensorflow_datasets.proto import tf_example_pb2

    for i, record in zip(indices, source.__getitems__(indices.tolist()), strict=True):
        fields = tf_example_pb2.Example.FromString(record).features.feature
        file = fields["image"].bytes_list.value[0]
        yield decode(file, f"record {i} of {config.name}", mode, side, bits), fields


def _prepared(config: Data) -> Any:
    """The set's builder, its files in place."""
    import tensorflow_datasets as tfds

    def build() -> Any:
        return tfds.builder(config.place, data_dir=config.dir, file_format="array_record")

    try:
        builder = build()
    except tfds.core.DatasetNotFoundError as error:
        names = tfds.list_builders(with_community_datasets=False)
        near = ", ".join(difflib.get_close_matches(config.place, names) or ["mnist", "cifar10"])
        raise Invalid(f"data.name: {config.name}; a name of TFDS's catalogue is needed, such as {near}") from error
    except Exception as error:  # an unknown version or configuration of the set
        raise Invalid(f"data.name: {config.name}; {one_line(error)}") from error
    if builder.is_prepared():
        return builder
    wanted = f"data.name: {config.name} is not prepared in {builder.data_path}"
    if importlib.util.find_spec("tensorflow") is None:
        raise Invalid(f'{wanted} (data.dir: {config.dir}); pip install -e ".[prepare]" lets this command prepare it')
    if subprocess.run([sys.executable, "-c", PREPARE, config.place, config.dir or ""]).returncode:
        raise Invalid(f"{wanted}, and TFDS failed to prepare it, as it says above")
    return build()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """TFDS warns of what is normal, an unprepared set for one; what is wrong, it raises."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
