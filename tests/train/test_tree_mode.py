"""Flax's tree mode, which is to become its default: the same parameters as in graph mode."""

import json
import os
import subprocess
import sys
import tempfile

import jax
import numpy as np
from flax import nnx

from genlab.config.plain import to_dict
from genlab.model import load

TRAIN = """
import json, pathlib, sys
from flax import nnx
assert not nnx.set_graph_mode.current_value() and not nnx.set_graph_updates.current_value()
from genlab.config.plain import from_dict
from genlab.train.loop import train
for folder, config in json.load(sys.stdin).items():
    train(from_dict(config), pathlib.Path(folder))
"""


def test_tree_mode_trains_the_same(tiny, trained, root, tmp_path):
    """Bit for bit after two iterations, with batch norm's statistics and with spectral norm's."""
    assert nnx.set_graph_mode.current_value()
    names = "wgan_gp", "sngan", "vae"
    wanted = {str(tmp_path / name): to_dict(tiny(name)) for name in names}
    settings = {  # as in this process, so that programs are compiled alike
        "NNX_GRAPH_MODE": "false",
        "NNX_GRAPH_UPDATES": "false",
        "JAX_NUM_CPU_DEVICES": str(jax.device_count()),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir or tempfile.gettempdir(),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "PYTHONPATH": str(root),
    }
    subprocess.run(
        [sys.executable, "-c", TRAIN], input=json.dumps(wanted), text=True, check=True, env=os.environ | settings
    )
    for name in names:
        graph, tree = load(trained(name)).state, load(tmp_path / name).state
        jax.tree.map(np.testing.assert_array_equal, graph, tree)
