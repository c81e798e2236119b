"""Inception-v3 against torch-fidelity's network on the same random weights, and its resizing."""

import jax.numpy as jnp
import numpy as np
import pytest

from genlab.config.sections import Parallel
from genlab.errors import Invalid
from genlab.evaluate import extractors
from genlab.evaluate.inception import load, resize
from genlab.evaluate.weights import write


@pytest.fixture(scope="module")
def network(torch, fidelity, tmp_path_factory):
    """torch-fidelity's network with random weights and batch norms that matter, and the file it read them from."""
    module = fidelity("feature_extractor_inceptionv3")
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.manual_seed(0)
    kind = module.FeatureExtractorInceptionV3

    class Shell(kind):
        def __init__(self):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
                patch.setattr(kind, "load_state_dict", lambda *_: None)
                super().__init__("random", ["2048", "logits_unbiased"], verbose=False)

    shell = Shell()
    for name, tensor in shell.state_dict().items():
        if name.endswith(("bn.weight", "running_var")):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith(("bn.bias", "running_mean")):
            tensor.normal_(0, 0.2)
        elif name.endswith("conv.weight"):
            torch.nn.init.kaiming_normal_(tensor)  # signals keep their size through 94 layers
    torch.save(shell.state_dict(), path)
    return shell, path


def extract(extractor, x):
    return extractors.extract(extractor, x, Parallel(devices=1))


def images(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_its_features_and_logits_are_torch_fidelitys(torch, network):
    shell, path = network
    x = images((2, 32, 40, 3))
    x[1, 8:24] = 255
    with torch.no_grad():
        features, logits = (out.numpy() for out in shell(torch.from_numpy(x.transpose(0, 3, 1, 2))))
    seen = extract(load(path), x)
    assert features.std() > 0.1 and abs(features[0] - features[1]).max() > 0.1  # nothing saturated or died
    np.testing.assert_allclose(seen.x, features, rtol=1e-4, atol=1e-4 * features.max())
    np.testing.assert_allclose(seen.logits, logits, rtol=1e-4, atol=1e-4 * abs(logits).max())


def test_safetensors_are_the_same_weights(network, tmp_path):
    shell, path = network
    write(tmp_path / "w.safetensors", {k: v.numpy() for k, v in shell.state_dict().items()}, {})
    a, b = load(path), load(tmp_path / "w.safetensors")
    assert a.digest == b.digest and len(a.digest) == 12
    np.testing.assert_array_equal(
        a.weights["Mixed_7c"]["branch_pool"]["conv"]["bias"], b.weights["Mixed_7c"]["branch_pool"]["conv"]["bias"]
    )


@pytest.mark.parametrize("shape", [(8, 8), (28, 32), (299, 299), (400, 310)])
def test_resizing_is_torch_fidelitys(torch, fidelity, shape):
    tf1 = fidelity("interpolate_compat_tensorflow").interpolate_bilinear_2d_like_tensorflow1x
    x = images((1, *shape, 3)).astype(np.float32)
    expected = tf1(torch.from_numpy(x.transpose(0, 3, 1, 2)), (299, 299), align_corners=False).numpy()
    np.testing.assert_allclose(resize(jnp.asarray(x), 299), expected.transpose(0, 2, 3, 1), atol=1e-4)


def test_resizing_by_hand():
    """From 2 to 4 pixels: at 0, 1/2, 1 and 3/2, and what lies beyond the last pixel is the last pixel."""
    x = jnp.asarray([[0.0, 8.0], [0.0, 8.0]]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(resize(x, 4)[0, 0, :, 0], [0, 4, 8, 8])


def test_grey_images_are_refused_or_repeated(network):
    _, path = network
    grey = images((1, 8, 8, 1))
    with pytest.raises(Invalid, match="extractor: 'inception' is not for grey images, unless --grey repeated"):
        extract(load(path), grey)
    repeated = load(path, repeat_grey=True)
    assert repeated.grey == "repeated"
    np.testing.assert_array_equal(extract(repeated, grey).x, extract(repeated, grey.repeat(3, -1)).x)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(Invalid, match="weights: .*absent.pth; must be an existing"):
        load(tmp_path / "absent.pth")
    write(tmp_path / "w.safetensors", {"fc.weight": np.zeros((3, 3), np.float32)}, {})
    with pytest.raises(Invalid, match="lacks 'Conv2d_1a_3x3.conv.weight'"):
        load(tmp_path / "w.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"12345678")
    with pytest.raises(Invalid, match="weights: .*cut.safetensors cannot be read"):
        load(tmp_path / "cut.safetensors")
