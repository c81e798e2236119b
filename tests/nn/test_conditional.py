"""Networks that are given labels: formulas of the papers, and what labels do and do not change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from genlab.errors import Invalid
from genlab.nn.conditional import ClassBatchNorm, Projection, append_labels
from genlab.nn.layers import AXIS, Linear
from genlab.nn.net import Net
from genlab.nn.network import decoder, encoder, projector
from genlab.nn.norms import BatchNorm

LABELS = jnp.array([2, 0, 1, 2, 2, 0])
Z = jax.random.normal(jax.random.key(0), (6, 3))
X = jax.random.normal(jax.random.key(1), (6, 8, 8, 1))
BACKBONES = {"mlp": Net("mlp", width=5, depth=1), "dcgan": Net("dcgan", width=2), "resnet": Net("resnet", width=2)}


def net(backbone, norm="none"):
    return Net(backbone, width=BACKBONES[backbone].width, depth=1, norm=norm)


def run(module, *inputs):
    """The module's output on one device."""
    return after(module, *inputs)[0]


def after(module, *inputs):
    """The module's output on one device, and its statistics then."""
    graph, state = nnx.split(module)

    def local(state, axis):
        merged = nnx.merge(graph, state)
        y = merged(*inputs)
        return y, nnx.to_pure_dict(nnx.state(merged, nnx.BatchStat))

    once = {"xla_backend_optimization_level": 0}  # compiling is all that takes time
    mapped = jax.jit(jax.vmap(local, in_axes=(None, 0), axis_name=AXIS), compiler_options=once)
    return jax.tree.map(lambda a: a[0], mapped(state, jnp.zeros(1)))


def batch_norms(module):
    return [part for _, part in nnx.iter_modules(module) if isinstance(part, nnx.BatchNorm)]


def numbers(module):
    return jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(module, nnx.Param)))


def test_the_projection_discriminators_logit(noisy):
    """f(x, y) = V_y . phi(x) + psi(phi(x)), Miyato and Koyama (2018), eq. 3, with the mlp followed by hand."""
    network = noisy(projector(net("mlp"), (2,), nnx.Rngs(0), 3))
    hidden, output = numbers(network)["network"]["layers"]["layers"].values()
    hidden = hidden["layers"][0]
    x = np.asarray(Z[:, :2])
    phi = np.maximum(x @ hidden["kernel"] + hidden["bias"], 0)
    psi = phi @ output["psi"]["kernel"][:, 0] + output["psi"]["bias"][0]
    v = output["embedding"]["kernel"]
    assert v.shape == (3, 5)
    expected = [v[y] @ p + s for y, p, s in zip(np.asarray(LABELS), phi, psi, strict=True)]
    np.testing.assert_allclose(run(network, jnp.asarray(x), LABELS)[:, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("backbone", "features"), [("mlp", 5), ("dcgan", 16), ("resnet", 2)])
def test_every_backbone_projects_what_its_output_sees(noisy, backbone, features):
    """Zero embeddings leave psi, the unconditional network; there is one projection and no other output."""
    network = noisy(projector(net(backbone), (8, 8, 1), nnx.Rngs(0), 3))
    (projection,) = (part for _, part in nnx.iter_modules(network) if isinstance(part, Projection))
    assert projection.embedding.kernel[...].shape == (3, features)
    linear = [part for _, part in nnx.iter_modules(network) if isinstance(part, Linear)]
    assert [part for part in linear if part.kernel[...].shape[1] == 1] == [projection.psi]
    projection.embedding.kernel[...] *= 0
    other = run(network, X, (LABELS + 1) % 3)
    np.testing.assert_array_equal(run(network, X, LABELS), other)
    plain = encoder(net(backbone), (8, 8, 1), 1, nnx.Rngs(0))
    learnt = nnx.to_flat_state(nnx.state(network.network, nnx.Param))
    named = {tuple(p for p in path if p != "psi"): value for path, value in learnt if "embedding" not in path}
    nnx.update(plain, nnx.from_flat_state(named))
    np.testing.assert_allclose(run(plain, X), other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 3, 4)])
def test_class_batch_norm_is_batch_norm_with_the_classs_scale_and_shift(noisy, shape):
    """De Vries et al. (2017): all share the statistics; each example is scaled and shifted as its class is."""
    x = 2 + 3 * jax.random.normal(jax.random.key(3), shape)
    norm = noisy(ClassBatchNorm(4, 3, rngs=nnx.Rngs(0)))
    y, stats = after(norm, x, LABELS)
    for c in range(3):
        plain = BatchNorm(4, rngs=nnx.Rngs(0))
        plain.scale[...], plain.bias[...] = norm.scales[c], norm.shifts[c]
        mine = np.flatnonzero(np.asarray(LABELS) == c)
        np.testing.assert_allclose(y[mine], run(plain, x)[mine], rtol=1e-5, atol=1e-5)
    assert abs(y - run(plain, x)).max() > 0.1  # not the last class's for all
    jax.tree.map(np.testing.assert_array_equal, stats, after(plain, x)[1])


@pytest.mark.parametrize("training", [True, False])
def test_equal_rows_are_plain_batch_norm(training):
    """As networks start, in training and with running averages."""
    made = [decoder(net("mlp", "batch"), 3, (8, 8, 1), nnx.Rngs(0), classes) for classes in (3, 0)]
    for network in made:
        network.train() if training else network.eval()
    np.testing.assert_allclose(run(made[0], Z, LABELS), run(made[1], Z), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
def test_labels_change_their_own_examples_and_a_permutation_of_classes_permutes(noisy, backbone, norm):
    network = noisy(decoder(net(backbone, norm), 3, (8, 8, 1), nnx.Rngs(0), 3))
    network.eval()  # so that batch norm does not couple the examples
    y = run(network, Z, LABELS)
    other = run(network, Z, LABELS.at[1].set(2))
    assert abs(y[1] - other[1]).max() > 1e-3
    np.testing.assert_array_equal(np.delete(y, 1, 0), np.delete(other, 1, 0))
    swapped = jnp.array([1, 2, 0])
    for _, part in nnx.iter_modules(network):
        if isinstance(part, ClassBatchNorm):
            for table in (part.scales, part.shifts):
                table[...] = jnp.zeros_like(table[...]).at[swapped].set(table[...])
    if norm != "batch":
        first = next(p for p in jax.tree.leaves(nnx.state(network, nnx.Param)) if p.ndim == 2 and len(p) == 6)
        for _, part in nnx.iter_modules(network):
            kernel = getattr(part, "kernel", None)
            if kernel is not None and kernel[...].shape == first.shape:
                kernel[...] = kernel[...].at[3 + swapped].set(kernel[...][3:])
    np.testing.assert_allclose(run(network, Z, swapped[LABELS]), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("backbone", ["resnet", "densenet"])
@pytest.mark.parametrize(("size", "attention"), [(8, 0), (64, 32)])
def test_the_norm_after_the_blocks_is_the_same_for_all_classes(backbone, size, attention):
    """`Generator.OutputNormalize` of the official code; all norms within blocks are each class's own."""
    net = Net(backbone, 2, 1, "batch", attention=attention)
    blocks = nnx.eval_shape(lambda: decoder(net, 3, (size, size, 1), nnx.Rngs(0), 3)).network.blocks
    normed = [part for part in blocks.layers if isinstance(part, nnx.Module) and batch_norms(part)]
    assert type(normed[-1]) is BatchNorm
    norms = [norm for block in normed[:-1] for norm in batch_norms(block)]
    assert len(norms) >= 2 and all(isinstance(norm, ClassBatchNorm) for norm in norms)


@pytest.mark.parametrize("backbone", ["mlp", "dcgan"])
def test_without_blocks_every_norm_is_each_classs_own(backbone):
    network = nnx.eval_shape(lambda: decoder(Net(backbone, 2, 1, "batch"), 3, (8, 8, 1), nnx.Rngs(0), 3))
    norms = batch_norms(network)
    assert norms and all(isinstance(norm, ClassBatchNorm) for norm in norms)


def test_with_batch_norm_the_label_enters_there_alone():
    """As in the official WGAN-GP code; otherwise behind the latent."""
    sizes = {
        norm: decoder(net("resnet", norm), 3, (8, 8, 1), nnx.Rngs(0), 4).network.input for norm in ("batch", "layer")
    }
    assert {norm: len(layer.kernel[...]) for norm, layer in sizes.items()} == {"batch": 3, "layer": 7}


@pytest.mark.parametrize("backbone", BACKBONES)
def test_encoders_see_labels(noisy, backbone):
    network = noisy(encoder(net(backbone), (8, 8, 1), 2, nnx.Rngs(0), 3))
    y, other = run(network, X, LABELS), run(network, X, LABELS.at[1].set(2))
    assert abs(y[1] - other[1]).max() > 1e-3
    np.testing.assert_array_equal(np.delete(y, 1, 0), np.delete(other, 1, 0))


def test_labels_stand_behind_numbers_and_behind_channels():
    assert append_labels(Z, LABELS, 3).shape == (6, 6)
    np.testing.assert_array_equal(append_labels(Z, LABELS, 3)[:, 3:], np.eye(3)[np.asarray(LABELS)])
    planes = append_labels(X, LABELS, 3)
    np.testing.assert_array_equal(planes[..., :1], X)
    np.testing.assert_array_equal(planes[..., 1:], np.broadcast_to(np.eye(3)[LABELS][:, None, None], (6, 8, 8, 3)))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_networks_without_classes_ignore_labels(backbone):
    network = encoder(net(backbone), (8, 8, 1), 2, nnx.Rngs(0))
    np.testing.assert_array_equal(run(network, X, LABELS), run(network, X))


MADE = {
    "input": lambda: encoder(net("mlp"), (3,), 2, nnx.Rngs(0), 3),
    "norms": lambda: decoder(net("mlp", "batch"), 3, (8, 8, 1), nnx.Rngs(0), 3),
    "output": lambda: projector(net("mlp"), (3,), nnx.Rngs(0), 3),
}


@pytest.mark.parametrize("place", MADE)
def test_a_network_of_classes_needs_labels(place):
    network = MADE[place]()
    run(network, Z, LABELS)
    with pytest.raises(Invalid, match="^labels: None is not allowed for a network of 3 classes"):
        run(network, Z)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("place", ["none", "input", "output"])
def test_the_value_is_linear_in_what_the_output_sees(noisy, backbone, place):
    """`before_output`: a (projected) linear map of it, the same for all examples of a class, is what comes out."""
    make = {
        "none": lambda: encoder(net(backbone), (8, 8, 1), 1, nnx.Rngs(0)),
        "input": lambda: encoder(net(backbone), (8, 8, 1), 1, nnx.Rngs(0), 3),
        "output": lambda: projector(net(backbone), (8, 8, 1), nnx.Rngs(0), 3),
    }
    network = noisy(make[place]())
    (*_, psi) = (part for _, part in nnx.iter_modules(network) if isinstance(part, Linear) and part.bias is not None)
    seen, value = network.before_output(X, LABELS), run(network, X, LABELS)
    kernel = psi.kernel[...]
    if place == "output":
        (projection,) = (part for _, part in nnx.iter_modules(network) if isinstance(part, Projection))
        kernel = kernel + projection.embedding.kernel[...][LABELS].T
        kernel = kernel.T[:, :, None]
        seen = seen[:, None]
    np.testing.assert_allclose((seen @ kernel + psi.bias[...]).reshape(6, 1), value, rtol=1e-5, atol=1e-5)
