"""What is timed is the same on both sides, counted right, and reported as it was measured."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.benchmark import peers, report
from genlab.benchmark.flop import flop
from genlab.benchmark.workloads import WORKLOADS, find
from genlab.errors import Invalid
from genlab.kernels.convolution import conv, conv_transpose
from genlab.nn.net import Net


def narrow(workload):
    """The workload with networks of a few channels, on a few examples."""
    nets = {n: dataclasses.replace(v, width=4) for n, v in vars(workload.method).items() if isinstance(v, Net)}
    return dataclasses.replace(workload, method=dataclasses.replace(workload.method, **nets), batch=4)


@pytest.mark.parametrize("name", WORKLOADS)
def test_both_sides_have_the_same_networks(torch, name):
    """As many parameters in each kernel, bias, scale and shift, at full size."""
    from genlab.benchmark import torch_side

    workload = WORKLOADS[name]
    method = workload.method
    ours = nnx.eval_shape(lambda: method.networks(workload.shape, nnx.Rngs(0)))
    nets = {name: value for name, value in vars(method).items() if isinstance(value, Net)}
    for network, net in nets.items():
        module = ours[network]
        latent = method.latent
        with torch.device("meta"):
            if network in ("encoder", "critic"):
                theirs_module = torch_side.encoder(net, workload.shape, 1 if network == "critic" else 2 * latent)
            else:
                theirs_module = torch_side.decoder(net, latent, workload.shape)
        sizes = sorted(leaf.size for leaf in jax.tree.leaves(nnx.to_pure_dict(nnx.state(module, nnx.Param))))
        assert sizes == sorted(p.numel() for p in theirs_module.parameters())


@pytest.mark.parametrize("name", ["dcgan32", "resnet32", "vae_mlp", "vae_dcgan32"])
def test_pytorch_trains_its_side(torch, name):
    """Both players move, and by about the learning rate, as Adam does at first."""
    from genlab.benchmark.torch_side import Torch

    side = Torch(narrow(WORKLOADS[name]))
    tasks = side.tasks()
    tasks["iteration"](1)
    assert side.flop > 0 and set(tasks) == {"update", "iteration"}
    trainer = side.trainer(side)
    networks = [v for v in vars(trainer).values() if isinstance(v, torch.nn.Module)]
    before = [[p.detach().clone() for p in n.parameters()] for n in networks]
    trainer.iteration()
    for network, old in zip(networks, before, strict=True):
        moved = max(float((p - q).detach().abs().max()) for p, q in zip(network.parameters(), old, strict=True))
        assert 5e-5 < moved < 1e-2


def test_flop_of_a_product_and_of_convolutions():
    a, b = jnp.ones((3, 4)), jnp.ones((4, 5))
    assert flop(lambda a, b: a @ b, a, b) == 2 * 3 * 4 * 5
    x, w = jnp.ones((2, 8, 8, 3)), jnp.ones((5, 5, 3, 4))
    forward = 2 * 2 * 16 * 25 * 3 * 4
    assert flop(lambda x, w: conv(x, w, 2), x, w) == forward
    assert flop(lambda y, w: conv_transpose(y, w, 2), jnp.ones((2, 4, 4, 4)), w) == forward
    gradients = jax.grad(lambda x, w: jnp.square(conv(x, w, 2)).sum(), argnums=(0, 1))
    assert flop(gradients, x, w) == 3 * forward


def test_flop_counts_turns_and_leaves_out_what_is_not_used():
    a = jnp.ones((3, 3))
    product = 2 * 27

    def looped(a):
        return jax.lax.scan(lambda c, _: (c @ a, None), a, None, length=7)[0]

    assert flop(looped, a) == 7 * product
    assert flop(jax.jit(lambda a: (a @ a, a @ a @ a)[0]), a) == product
    assert flop(lambda a: jax.lax.cond(a[0, 0] > 0, lambda: a @ a @ a, lambda: a), a) == 2 * product


def test_a_workload_has_a_batch_size_after_its_colon():
    assert find("resnet32:512").batch == 512
    assert find("resnet32").batch == 64
    half = find("vae_mlp").variant(8, "bfloat16")
    assert half.batch == 8 and half.method.encoder.compute == half.method.decoder.compute == "bfloat16"


@pytest.mark.parametrize("name", ["resnet", "resnet32:0", "resnet32:many"])
def test_an_unknown_workload_is_named(name):
    with pytest.raises(Invalid, match=f"^workloads: '{name}' is not "):
        find(name)


def test_peers_have_their_workload_and_say_how_to_get_them(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: name)
    assert peers.has_workload("mimicry", "resnet32:64") and not peers.has_workload("mimicry", "dcgan32")
    assert peers.has_workload("pythae", "vae_mlp")
    with pytest.raises(Invalid, match="^peer: 'compare_gan' is not one of mimicry, pythae"):
        peers.has_workload("compare_gan", "vae_mlp")
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Invalid, match="peer: pythae is not installed; pip install pythae"):
        peers.has_workload("pythae", "vae_mlp")


def rows():
    facts = {"workload": "w", "compute": "float32", "batch": 10, "memory_bytes": 2**20, "matrix": 100, "flop": 1e6}
    ours = {"side": "genlab", "compile_seconds": 1.5}
    ours["seconds"] = {"matmul": [0.002], "update": [0.1, 0.3, 0.2], "looped": [0.2], "iteration": [1.0]}
    theirs = {"side": "torch", "compile_seconds": 0.0}
    theirs["seconds"] = {"matmul": [0.001], "update": [0.4], "iteration": [4.0]}
    broken = {"workload": "w", "compute": "float32", "side": "compiled", "error": "cannot"}
    return [facts | ours, facts | theirs, broken]


def test_medians_ratios_and_shares():
    """200 ms against 400; 1 MFLOP in 200 ms beside the faster of the two products, 2 MFLOP in 1 ms."""
    measured = rows()
    report._compare(measured)
    ours, theirs, _ = measured
    assert ours["ratio"] == {"update": 0.5, "iteration": 0.25} and theirs["ratio"]["update"] == 1
    np.testing.assert_allclose([ours["share"], theirs["share"]], [0.0025, 0.00125])
    table = report.table(measured).splitlines()
    assert len(table) == 5 and len({line.count("|") for line in table}) == 1
    assert (
        "| w | 10 | genlab | 200 (100 to 300) | 200 (200 to 200) | 1,000 (1,000 to 1,000) | 0.50 / 0.25 | 50 |"
        in table[2]
    )
    assert "not possible: cannot" in table[4]


def test_libraries_that_are_not_installed_are_left_out(monkeypatch):
    def version(name):
        if name == "torch":
            raise report.importlib.metadata.PackageNotFoundError(name)
        return "1.2"

    monkeypatch.setattr(report.importlib.metadata, "version", version)
    found = report.machine(rows())
    assert found["jax"] == "1.2" and "torch" not in found


def test_genlab_is_measured_alone_and_figures_are_json(root: Path, tmp_path: Path):
    """As it must be where PyTorch is not installed."""
    out = tmp_path / "new" / "figures.json"
    script = [sys.executable, "scripts/benchmark.py", "--workloads", "vae_mlp:2", "--rounds", "1", "--sides", "genlab"]
    refused = subprocess.run([*script, "--out", "figures.md"], cwd=root, capture_output=True, text=True)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: out: 'figures.md' is not a .json file\n"
    done = subprocess.run([*script, "--out", str(out)], cwd=root, capture_output=True, text=True, check=True)
    assert "| vae_mlp:2 | 2 | genlab |" in done.stdout
    assert [row["side"] for row in json.loads(out.read_text())["rows"]] == ["genlab"]


def test_the_script_measures_both_sides(torch, root: Path, tmp_path: Path):
    """One round of the smallest workload, from the command line to the JSON."""
    out = tmp_path / "figures.json"
    script = [sys.executable, "scripts/benchmark.py", "--workloads", "vae_mlp:2", "--rounds", "1"]
    script += ["--sides", "genlab", "torch", "--out", str(out)]
    done = subprocess.run(script, cwd=root, capture_output=True, text=True, check=True)
    assert "| vae_mlp:2 | 2 | genlab |" in done.stdout and "| vae_mlp:2 | 2 | torch |" in done.stdout
    figures = json.loads(out.read_text())
    ours, theirs = figures["rows"][:2]
    assert figures["machine"]["jax"] == jax.__version__
    for row in (ours, theirs):
        assert all(times[0] > 0 for times in row["seconds"].values()) and row["memory_bytes"] > 0
    np.testing.assert_allclose(ours["flop"], theirs["flop"], rtol=0.1)  # one network, one batch, one update
