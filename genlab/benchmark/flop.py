"""Counts the floating-point operations of a program: those of its matrix products and convolutions."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.interpreters.partial_eval import dce_jaxpr

from genlab.kernels.forms import Geometry
from genlab.kernels.programs import subprograms


def flop(function: Callable[..., Any], *args: Any) -> float:
    """Operations of one call, two for each product and its addition, also where a convolution meets its padding.

    What does not lead to a result is not counted. The number of turns of a `while_loop` is not known and taken for one.
    """
    jaxpr = jax.make_jaxpr(function)(*args).jaxpr
    return _count(dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[0])


def _count(jaxpr: Any) -> float:
    total = 0.0
    for equation in jaxpr.eqns:
        shapes = [v.aval.shape for v in equation.invars if hasattr(v.aval, "shape")]
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            total += 2 * equation.outvars[0].aval.size * math.prod(shapes[0][i] for i in contracted)
        elif equation.primitive.name == "genlab_conv":
            total += _convolution(equation.params["wanted"], equation.params["geometry"], *shapes)
        else:
            inner = [_count(sub) for sub in subprograms(equation.params)]
            turns = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
            total += max(inner, default=0.0) if equation.primitive.name == "cond" else turns * sum(inner)
    return total


def _convolution(wanted: str, geometry: Geometry, a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Every operand touches each of batch, places of the output, taps, inputs and outputs once."""
    batch = b[0] if wanted == "x" else a[0]
    inputs, outputs = {"y": (b[2], b[3]), "x": (a[2], a[3]), "w": (a[3], b[3])}[wanted]
    return 2.0 * batch * math.prod(geometry.output) * math.prod(geometry.kernel) * inputs * outputs
