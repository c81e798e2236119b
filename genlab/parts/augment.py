"""Random changes of all images, real and fake, before a discriminator or critic sees them.

DiffAugment (Zhao et al. 2020) makes them in both players' updates, and differentiates through them.
"""

from genlab.errors import require
from genlab.kernels.augment import Kind, augment
from genlab.kernels.random import Keys
from genlab.parts.types import Data


def augmented(x: Data, keys: Keys, kinds: tuple[Kind, ...]) -> Data:
    """Each image changed by its own key, in the order of the kinds; anything as it is where there are none."""
    return augment(x, keys, kinds) if kinds else x


def check_augment(kinds: tuple[Kind, ...], shape: tuple[int, ...]) -> None:
    """That only images are changed.

    Raises:
        Invalid: data of `shape` are none; the message names the method's field `augment`.
    """
    free = len(shape) == 3 or not kinds
    require(free, "augment", kinds, f"possible for data of shape {shape}: no images")
