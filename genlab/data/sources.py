"""From a name to a data set."""

import numpy as np

from genlab.data.config import Data
from genlab.data.folder import folder
from genlab.data.images import fit
from genlab.data.npz import npz
from genlab.data.records import records
from genlab.data.splits import Dataset, Examples, InMemory, Source, hold_out
from genlab.data.toys import point_splits


def load(config: Data) -> Dataset:
    """The set that `config` names. Splits which the source lacks are held out from its training split: always the same
    ones, so that runs with different seeds can be compared.

    Raises `Invalid` for what is unknown, absent, empty, unreadable or of a kind or size that is not allowed.
    """
    shape, classes, splits = point_splits(config) if config.kind == "points" else SOURCES[config.kind](config)
    shares = {"test": config.test, "validation": config.validation}
    missing = {split: share for split, share in shares.items() if split not in splits}
    return Dataset(config.name, shape, classes, **(splits | hold_out(splits["train"], missing)))


def digits(config: Data) -> Source:
    """scikit-learn's 1,797 handwritten digits, 8 x 8 with 17 grey levels (UCI, Alpaydin and Kaynak 1998)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    x = np.round(bunch.images[..., None] * (255 / 16)).astype(np.uint8)
    x = fit(x, config.image_size)
    examples = Examples(x, bunch.target.astype(np.int32))
    return x.shape[1:], tuple(str(name) for name in bunch.target_names), {"train": InMemory(examples)}


SOURCES = {"digits": digits, "tfds": records, "folder": folder, "npz": npz}
