"""Networks that one run has learnt start another; frozen ones stay as they are."""

import dataclasses
import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

from genlab import cli
from genlab.config.plain import check_same, from_dict, to_dict
from genlab.config.sections import Init, resolved
from genlab.errors import Invalid
from genlab.model import load
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer
from genlab.train.loop import train
from genlab.train.paths import leaves
from genlab.train.state import Game
from genlab.train.transfer import initial_state

RUNS = {}


def bitwise(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def differ(a, b):
    """The paths of the leaves in which two trees of weights differ."""
    ours, theirs = dict(leaves(a)), dict(leaves(b))
    return {path for path in ours if (np.asarray(ours[path]) != np.asarray(theirs[path])).any()}


@pytest.fixture
def source(tiny, tmp_path_factory):
    """A run of the plain autoencoder, of 3 iterations."""
    if "ae" not in RUNS:
        RUNS["ae"] = tmp_path_factory.mktemp("source")
        train(tiny("ae", steps=3), RUNS["ae"])
    return RUNS["ae"]


def start(config, init):
    """A fresh state, and the one that a run starts with."""
    game = Game(config.method, (8, 8, 1), config.train.seed, config.train.steps, init.freeze)
    fresh = jax.jit(game.init)()
    return fresh, initial_state(game, fresh, init)


@pytest.mark.parametrize("ema", [True, False])
def test_an_encoder_starts_another_method(tiny, source, ema):
    """Bit for bit, its averages too; what is not named is that of the seed."""
    learnt = load(source).state
    weights = learnt.ema["params"] if ema else learnt.params
    assert differ(learnt.ema["params"]["encoder"], learnt.params["encoder"])
    fresh, first = start(tiny("aae"), Init(str(source), ("encoder",), ema=ema))
    assert differ(fresh.params["encoder"], weights["encoder"])
    bitwise(first.params["encoder"], weights["encoder"])
    bitwise(first.ema["params"]["encoder"], weights["encoder"])
    for name in ("decoder", "discriminator"):
        bitwise(first.params[name], fresh.params[name])
    bitwise((first.optimizers, first.step), (fresh.optimizers, fresh.step))


def test_all_that_have_the_same_name_are_taken_by_default(tiny, source):
    """Statistics as well: another autoencoder of the same make takes over the Gaussian of the codes."""
    _, first = start(tiny("contractive_ae"), Init(str(source)))
    averages = load(source).state.ema
    bitwise((first.params, first.stats), (averages["params"], averages["stats"]))
    assert np.any(first.stats["codes"]["mean"])


def test_parts_of_a_network_may_be_taken(tiny, source):
    """A VAE's encoder ends in twice as many numbers; its hidden layers are an autoencoder's."""
    hidden = "encoder/layers/layers/0", "encoder/layers/layers/1"
    fresh, first = start(tiny("vae"), Init(str(source), hidden))
    learnt = load(source).state.ema["params"]
    ours, theirs, new = (w["encoder"]["layers"]["layers"] for w in (first.params, learnt, fresh.params))
    bitwise([ours[0], ours[1]], [theirs[0], theirs[1]])
    bitwise([ours[2], ours[3]], [new[2], new[3]])


def test_a_run_that_goes_on_needs_its_source_no_more(tiny, source, tmp_path):
    """Killed or ended, it is bitwise the run that never stopped, though the other run is gone."""
    lent = tmp_path / "lent"
    shutil.copytree(source, lent)
    init = Init(str(lent), ("encoder",), freeze=("encoder/layers/layers/0",))
    config, shorter = (dataclasses.replace(tiny("denoising_ae", steps=n), init=init) for n in (4, 2))
    train(config, tmp_path / "whole")
    train(shorter, tmp_path / "parts")
    shutil.rmtree(lent)
    train(config, tmp_path / "parts")
    bitwise(load(tmp_path / "whole").state, load(tmp_path / "parts").state)
    written = json.loads((tmp_path / "parts" / "config.json").read_text())["config"]
    assert written["init"]["run_dir"] == str(lent)
    assert from_dict(written) == resolved(config)
    with pytest.raises(Invalid, match=r"init.freeze = \['encoder/layers/layers/0'\], not \[\]"):
        check_same(written, dataclasses.replace(config, init=dataclasses.replace(init, freeze=())))


def test_what_is_frozen_stays_and_the_rest_moves(tiny, source, tmp_path):
    """To the bit, under weight decay, and in the averages; it has no part in the optimiser or the gradient's norm."""
    frozen = ("encoder", "decoder/layers/layers/3")
    config = tiny("ae", steps=3, method={"optimizer": Optimizer("adamw", weight_decay=0.1)}, checkpoint={"keep": 9})
    train(dataclasses.replace(config, init=Init(str(source), freeze=frozen)), tmp_path)
    first, last = load(tmp_path, step=0).state, load(tmp_path).state
    bitwise(first.params, load(source).state.ema["params"])
    paths = {path for path, _ in leaves(first.params)}
    trainable = {path for path in paths if path.startswith("decoder") and not path.startswith(frozen[1])}
    assert trainable and differ(first.params, last.params) == trainable
    assert differ(first.ema["params"], last.ema["params"]) == trainable
    own = load(tmp_path).game.trainable(load(tmp_path).game.players[0], first.params)
    assert {path for path, _ in leaves(own)} == trainable
    held = [str(path) for path, _ in jax.tree_util.tree_leaves_with_path(last.optimizers)]
    assert any("decoder" in path for path in held) and not any("encoder" in path for path in held)


def test_a_frozen_network_computes_as_in_evaluation(tiny, tmp_path):
    """Batch norm below it keeps its averages and uses them; elsewhere they move."""
    nets = {"encoder": Net(width=8, depth=2, norm="batch"), "decoder": Net(width=8, depth=1, norm="batch")}
    part = "encoder/layers/layers/0"
    config = dataclasses.replace(tiny("ae", steps=2, method=nets), init=Init(freeze=(part, "decoder")))
    train(config, tmp_path)
    model = load(tmp_path)
    changed = {path.rpartition("/")[0] for path in differ(model.game.init().stats, model.state.stats)}
    assert changed == {"encoder/layers/layers/1/layers/1", "codes"}


@pytest.mark.parametrize(
    ("preset", "init", "words"),
    [
        ("ae", {"networks": ("critic",)}, "init.networks: 'critic' is not in RUN; there are codes, decoder, encoder"),
        ("gan", {"networks": ("encoder",)}, "'encoder' is not in this method; there are discriminator, generator"),
        ("gan", {}, "init.run_dir: RUN has codes, decoder, encoder, but this method discriminator, generator; none"),
        ("vae", {}, r"init.networks: encoder/layers/layers/3/bias is \(16,\) in RUN and \(32,\) here; they must be eq"),
        ("ae", {"step": 7}, "step: 7 is not among the checkpoints of RUN: .*3$"),
        ("ae", {"run_dir": "/nowhere"}, "init.run_dir: /nowhere; must be the folder of a run"),
        ("ae", {"freeze": ("encodr",)}, "init.freeze: 'encodr' is not among the parameters; there are decoder, enc"),
        ("ae", {"freeze": ("codes",)}, "init.freeze: 'codes' is not among the parameters; there are decoder, encoder"),
        ("aae", {"freeze": ("encoder",)}, r"init.freeze: \('encoder',\) is not possible: .* generator nothing to move"),
    ],
)
def test_what_cannot_be_is_one_line(tiny, source, preset, init, words):
    with pytest.raises(Invalid, match=words.replace("RUN", str(source))) as error:
        start(tiny(preset), Init(**{"run_dir": str(source)} | init))
    assert "\n" not in str(error.value)


def test_a_run_that_cannot_start_leaves_nothing_to_go_on_with(tiny, tmp_path):
    with pytest.raises(Invalid, match="^init.run_dir: /nowhere"):
        train(dataclasses.replace(tiny("ae"), init=Init("/nowhere")), tmp_path)
    assert not (tmp_path / "config.json").exists()


def test_a_networks_depth_is_checked(tiny, source):
    """More layers there, and more here."""
    for depth, k, there, here in ((2, 2, "absent", r"\(16,\)"), (4, 3, r"\(16,\)", "absent")):
        config = tiny("ae", method={"encoder": Net(width=8, depth=depth)})
        with pytest.raises(Invalid, match=f"encoder/layers/layers/{k}/bias is {there} in .* and {here} here"):
            start(config, Init(str(source)))


@pytest.mark.parametrize("field", [{"networks": ("encoder",)}, {"step": 3}])
def test_a_choice_needs_a_run(field):
    with pytest.raises(Invalid, match="is not possible without init.run_dir$"):
        Init(**field)


@pytest.mark.parametrize("spelling", ["--init-from runs/ae", "--init-from=runs/ae", "--init.run-dir runs/ae"])
def test_the_command_line(spelling):
    flags = f"--config vae {spelling} --init.networks encoder decoder --init.freeze encoder/layers --init.no-ema"
    init = cli.parse(flags.split()).settings.init
    assert init == Init("runs/ae", ("encoder", "decoder"), ema=False, freeze=("encoder/layers",))


def test_a_mistake_ends_with_code_2(tmp_path, root):
    run = [sys.executable, str(root / "scripts" / "train.py"), "--run-dir", str(tmp_path), "--init-from", "/nowhere"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr == "error: init.run_dir: /nowhere; must be the folder of a run (it has no config.json)\n"


def test_an_older_file_has_no_such_section():
    plain = to_dict(cli.preset("ae"))
    del plain["init"]
    assert from_dict(plain) == cli.preset("ae")
