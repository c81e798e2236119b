"""Inception-v3 as FID defines it: the network of TensorFlow's 2015-12-05 graph, in the layout of its PyTorch ports.

It differs from torchvision's in its average pools, which do not count padding, in the maximum pool of its last block,
and in its 1008 classes. Weights are read from a file; batch norm is folded into the convolutions. Modules have the
weights' names (`Mixed_5b.branch5x5_1.conv.weight`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float, Num, PyTree

from genlab.errors import Invalid, require
from genlab.evaluate.extractors import Extractor
from genlab.evaluate.weights import digest, read

SIDE, EPSILON = 299, 1e-3  # the side of its images; batch norm's epsilon

Map = Float[Array, "b _ _ _"]
Step = tuple[str, int, tuple[int, int], int]  # name, channels, kernel, stride; a stride of 2 goes without padding
Branch = list[Step | tuple[Step, Step]]  # a chain; two steps together see the same and are joined


def average_pool(x: Map) -> Map:
    """3x3 means of stride 1 over what lies inside the image."""
    return nnx.avg_pool(x, (3, 3), (1, 1), "SAME", count_include_pad=False)


def max_pool(x: Map, stride: int) -> Map:
    """3x3 maxima: of stride 2 without padding, of stride 1 with the same size."""
    return nnx.max_pool(x, (3, 3), (stride, stride), "VALID" if stride == 2 else "SAME")


POOLS: dict[str, Callable[[Map], Map]] = {
    "average": average_pool,
    "maximum": partial(max_pool, stride=1),
    "shrink": partial(max_pool, stride=2),
}


def _step(name: str, channels: int, height: int = 1, width: int = 1, stride: int = 1) -> Step:
    return name, channels, (height, width), stride


def _double(last: int) -> Branch:
    first, second = _step("branch3x3dbl_1", 64), _step("branch3x3dbl_2", 96, 3, 3)
    return [first, second, _step("branch3x3dbl_3", 96, 3, 3, last)]


def _fork(name: str) -> tuple[Step, Step]:
    return _step(f"{name}a", 384, 1, 3), _step(f"{name}b", 384, 3, 1)


def _a(pool: int) -> dict[str, Branch]:
    return {
        "1x1": [_step("branch1x1", 64)],
        "5x5": [_step("branch5x5_1", 48), _step("branch5x5_2", 64, 5, 5)],
        "3x3dbl": _double(1),
        "average": [_step("branch_pool", pool)],
    }


def _c(c: int) -> dict[str, Branch]:
    name = "branch7x7dbl"
    middle = [_step(f"{name}_{i}", c, *((7, 1) if i % 2 == 0 else (1, 7))) for i in (2, 3, 4)]
    return {
        "1x1": [_step("branch1x1", 192)],
        "7x7": [_step("branch7x7_1", c), _step("branch7x7_2", c, 1, 7), _step("branch7x7_3", 192, 7, 1)],
        "7x7dbl": [_step(f"{name}_1", c), *middle, _step(f"{name}_5", 192, 1, 7)],
        "average": [_step("branch_pool", 192)],
    }


def _e(pool: str) -> dict[str, Branch]:
    return {
        "1x1": [_step("branch1x1", 320)],
        "3x3": [_step("branch3x3_1", 384), _fork("branch3x3_2")],
        "3x3dbl": [_step("branch3x3dbl_1", 448), _step("branch3x3dbl_2", 384, 3, 3), _fork("branch3x3dbl_3")],
        pool: [_step("branch_pool", 192)],
    }


B: dict[str, Branch] = {"3x3": [_step("branch3x3", 384, 3, 3, 2)], "3x3dbl": _double(2), "shrink": []}
D: dict[str, Branch] = {
    "3x3": [_step("branch3x3_1", 192), _step("branch3x3_2", 320, 3, 3, 2)],
    "7x7x3": [
        _step("branch7x7x3_1", 192),
        _step("branch7x7x3_2", 192, 1, 7),
        _step("branch7x7x3_3", 192, 7, 1),
        _step("branch7x7x3_4", 192, 3, 3, 2),
    ],
    "shrink": [],
}
BLOCKS = {
    **{"Mixed_5b": _a(32), "Mixed_5c": _a(64), "Mixed_5d": _a(64), "Mixed_6a": B},
    **{"Mixed_6b": _c(128), "Mixed_6c": _c(160), "Mixed_6d": _c(160), "Mixed_6e": _c(192)},
    **{"Mixed_7a": D, "Mixed_7b": _e("average"), "Mixed_7c": _e("maximum")},
}
STEM = [
    _step("Conv2d_1a_3x3", 32, 3, 3, 2),
    _step("Conv2d_2a_3x3", 32, 3, 3),
    _step("Conv2d_2b_3x3", 64, 3, 3),
    _step("Conv2d_3b_1x1", 80),
    _step("Conv2d_4a_3x3", 192, 3, 3),
]
UNPADDED = ("Conv2d_2a_3x3", "Conv2d_4a_3x3")
POOLED = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")  # a maximum pool of stride 2 follows


class Conv(nnx.Module):
    """Convolution, with batch norm folded into it, and ReLU."""

    def __init__(self, c_in: int, step: Step, rngs: nnx.Rngs):
        name, channels, kernel, stride = step
        padding = "VALID" if stride == 2 or name in UNPADDED else "SAME"
        exact = jax.lax.Precision.HIGHEST  # accelerators would round to bfloat16 or TF32
        self.conv = nnx.Conv(c_in, channels, kernel, stride, padding=padding, precision=exact, rngs=rngs)

    def __call__(self, x: Map) -> Map:
        return jax.nn.relu(self.conv(x))


class Block(nnx.Module):
    """The branches of `BLOCKS[kind]` side by side, their channels joined in order."""

    def __init__(self, kind: str, c_in: int, rngs: nnx.Rngs):
        self.kind, self.channels = kind, 0
        for branch in BLOCKS[kind].values():
            c = c_in
            for steps in map(_together, branch):
                for step in steps:
                    setattr(self, step[0], Conv(c, step, rngs))
                c = sum(step[1] for step in steps)
            self.channels += c

    def __call__(self, x: Map) -> Map:
        return jnp.concatenate([self._branch(name, branch, x) for name, branch in BLOCKS[self.kind].items()], -1)

    def _branch(self, name: str, branch: Branch, x: Map) -> Map:
        x = POOLS[name](x) if name in POOLS else x
        for steps in map(_together, branch):
            x = jnp.concatenate([getattr(self, step[0])(x) for step in steps], -1)
        return x


def _together(step: Step | tuple[Step, Step]) -> tuple[Step, ...]:
    return (step,) if isinstance(step[0], str) else step  # type: ignore[return-value]


class Inception(nnx.Module):
    """(b, h, w, 3) uint8 -> (b, 2048) features and (b, 1008) logits without their bias, as the Inception score's."""

    def __init__(self, rngs: nnx.Rngs):
        c = 3
        for step in STEM:
            setattr(self, step[0], Conv(c, step, rngs))
            c = step[1]
        for kind in BLOCKS:
            setattr(self, kind, block := Block(kind, c, rngs))
            c = block.channels
        self.fc = nnx.Linear(c, 1008, use_bias=False, precision=jax.lax.Precision.HIGHEST, rngs=rngs)

    def __call__(self, images: Num[Array, "b h w 3"]) -> tuple[Float[Array, "b 2048"], Float[Array, "b 1008"]]:
        x = (resize(images.astype(jnp.float32), SIDE) - 128) / 128
        for name, *_ in STEM:
            x = getattr(self, name)(x)
            x = max_pool(x, 2) if name in POOLED else x
        for kind in BLOCKS:
            x = getattr(self, kind)(x)
        features = x.mean((1, 2))
        return features, self.fc(features)


def resize(x: Float[Array, "b h w c"], side: int) -> Float[Array, "b side side c"]:
    """Bilinear as in TensorFlow 1: pixel i of the output lies at i * h / side of the input, without antialiasing."""

    def along(x: Array, axis: int) -> Array:
        size = x.shape[axis]
        place = jnp.arange(side, dtype=jnp.float32) * jnp.float32(size / side)
        low = place.astype(jnp.int32)
        share = (place - low).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        below, above = jnp.take(x, low, axis), jnp.take(x, jnp.minimum(low + 1, size - 1), axis)
        return below + (above - below) * share

    return along(along(x, 2), 1)


@dataclass(frozen=True, eq=False)
class InceptionV3(Extractor):
    """The extractor of FID, KID and the Inception score."""

    def apply(
        self, weights: PyTree, images: Num[Array, "b h w c"]
    ) -> tuple[Float[Array, "b 2048"], Float[Array, "b 1008"]]:
        colour = jnp.repeat(images, 3, -1) if images.shape[-1] == 1 else images
        return nnx.merge(_empty()[0], weights)(colour)

    def check(self, shape: tuple[int, ...]) -> None:
        fine = shape[2] == 3 or self.grey == "repeated"
        require(fine, "extractor", "inception", "for grey images, unless --grey repeated feeds it three copies of them")


@cache
def _empty() -> tuple[Any, PyTree]:
    """The network's structure and its weights' shapes."""
    graph, state = nnx.split(nnx.eval_shape(lambda: Inception(nnx.Rngs(0))))
    return graph, nnx.to_pure_dict(state)


def load(path: Path, repeat_grey: bool = False) -> InceptionV3:
    """The network with weights in the layout of `pt_inception-2015-12-05-6726825d.pth`, also as .safetensors.

    Raises:
        Invalid: the file is absent, cannot be read, or holds other weights.
    """
    arrays, _ = read(path)
    _, like = _empty()
    weights: dict[str, Any] = {}
    try:
        for name, shapes in like.items():
            weights[name] = _folded(arrays, name, shapes)
    except KeyError as error:
        raise Invalid(f"weights: {path} lacks {error}; the layout of pt_inception-2015-12-05 is needed") from None
    fits = jax.tree.map(lambda a, b: a.shape == b.shape, weights, like)
    require(all(jax.tree.leaves(fits)), "weights", str(path), "of the shapes of pt_inception-2015-12-05")
    grey = "repeated" if repeat_grey else "refused"
    return InceptionV3("inception", digest(arrays), f"bilinear (TF1) to {SIDE}", grey, weights, 32)


def _folded(arrays: dict[str, np.ndarray], name: str, shapes: PyTree) -> PyTree:
    """The weights of one module: y = scale (Wx - mean) / sqrt(variance + epsilon) + shift, as one convolution."""
    if name.endswith("fc"):
        return {"kernel": arrays["fc.weight"].T.astype(np.float32)}
    if "conv" not in shapes:
        return {child: _folded(arrays, f"{name}.{child}", below) for child, below in shapes.items()}
    kernel = arrays[f"{name}.conv.weight"].astype(np.float64).transpose(2, 3, 1, 0)
    parts = ("weight", "bias", "running_mean", "running_var")
    scale, shift, mean, variance = (arrays[f"{name}.bn.{part}"].astype(np.float64) for part in parts)
    factor = scale / np.sqrt(variance + EPSILON)
    folded = {"kernel": kernel * factor, "bias": shift - mean * factor}
    return {"conv": {part: array.astype(np.float32) for part, array in folded.items()}}
