"""Features on one device and on many, of pixels and of classifiers; what is kept; and what is refused."""

import dataclasses

import jax
import numpy as np
import pytest

from genlab.config.sections import Parallel
from genlab.data.config import Data
from genlab.data.sources import load
from genlab.data.splits import Dataset, Examples, InMemory
from genlab.errors import Invalid
from genlab.evaluate import classifier, reference
from genlab.evaluate.extractors import Pixels, extract
from genlab.evaluate.weights import digest, read, write


def images(n, shape=(8, 8, 1), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), np.uint8)


@pytest.fixture(scope="module")
def digits():
    return classifier.load(classifier.bundled("digits"))


def test_pixels_are_flat_and_in_the_unit_interval():
    x = np.array([0, 255, 51], np.uint8).reshape(1, 1, 3, 1)
    features = extract(Pixels(), x)
    np.testing.assert_allclose(features.x, [[0, 1, 0.2]], rtol=1e-6)
    assert features.logits is None


@pytest.mark.parametrize("n", [1, 7, 8, 65])
def test_devices_and_chunks_change_nothing(digits, n):
    """Whole, partial and many chunks on 8 devices against one image at a time on one."""
    few = dataclasses.replace(digits, rows=4)
    x = images(n)
    many, one = extract(few, x), extract(dataclasses.replace(digits, rows=1), x, Parallel(devices=1))
    assert many.x.shape == (n, 64) and many.logits.shape == (n, 10)
    np.testing.assert_allclose(many.x, one.x, atol=1e-5)
    np.testing.assert_allclose(many.logits, one.logits, atol=1e-4)


def test_the_shipped_classifier_of_digits_is_as_good_as_it_says(digits):
    """On the test split, which its training has not seen; its features have mean square 1 on the training split."""
    dataset = load(Data())
    assert digits.accuracy == classifier.accuracy(digits, *classifier.read_all(dataset.test)) > 0.95
    seen = extract(digits, classifier.read_all(dataset.train)[0])
    np.testing.assert_allclose(np.square(seen.x).mean(), 1, rtol=1e-4)


def test_the_shipped_classifier_of_mnist(digits):
    mnist = classifier.load(classifier.bundled("tfds:mnist"))
    assert mnist.shape == (28, 28, 1) and mnist.accuracy > 0.985 and mnist.digest != digits.digest
    for path in classifier.FOLDER.iterdir():
        assert path.stat().st_size < 2**20
    assert classifier.bundled("tfds:cifar10") is None


def toy(n=256, classes=2):
    """Dark and bright images."""
    label = np.arange(n, dtype=np.int32) % 2
    x = (images(n) // 2 + 120 * label[:, None, None, None]).astype(np.uint8)
    held = InMemory(Examples(x[:32], label[:32]))
    names = tuple(map(str, range(classes)))
    return Dataset("toy", (8, 8, 1), names, InMemory(Examples(x[32:], label[32:])), held, held)


def test_a_classifier_is_trained_saved_and_read_again(tmp_path):
    trained = classifier.train(toy(), 0, 8)
    assert trained.accuracy > 0.9
    np.testing.assert_allclose(np.square(extract(trained, toy().train.examples.x).x).mean(), 1, rtol=1e-5)
    classifier.save(tmp_path / "w.safetensors", trained, toy(), 0)
    again = classifier.load(tmp_path / "w.safetensors")
    assert (again.digest, again.accuracy, again.shape) == (trained.digest, trained.accuracy, (8, 8, 1))
    np.testing.assert_array_equal(extract(again, images(5)).x, extract(trained, images(5)).x)
    other = classifier.train(toy(), 1, 8)
    assert other.digest != trained.digest


def test_there_is_no_classifier_without_labels():
    with pytest.raises(Invalid, match="data.name: 'toy' is not a set with labels of two classes"):
        classifier.train(toy(classes=1), 0, 1)
    with pytest.raises(Invalid, match="a set of images"):
        classifier.train(load(Data("points:8gaussians")), 0, 1)


def test_what_an_extractor_cannot_do_is_said(digits, tmp_path):
    with pytest.raises(Invalid, match="images: 0 is not at least 1"):
        extract(digits, images(0))
    with pytest.raises(Invalid, match=r"extractor: .*8, 8, 1.* is not for images \(28, 28, 1\)"):
        extract(digits, images(2, (28, 28, 1)))
    broken = dataclasses.replace(digits, weights=jax.tree.map(lambda a: a * np.nan, digits.weights))
    with pytest.raises(Invalid, match="features: 'NaN or infinity' is not a finite number"):
        extract(broken, images(2))
    write(tmp_path / "w.safetensors", {"a": np.zeros(2)}, {})
    with pytest.raises(Invalid, match="weights: .* must be as scripts/train_classifier.py wrote it"):
        classifier.load(tmp_path / "w.safetensors")


def test_files_of_arrays(tmp_path):
    arrays = {"b": np.arange(3.0), "a": np.zeros((2, 1), np.float32)}
    write(tmp_path / "w.safetensors", arrays, {"note": "x"})
    found, notes = read(tmp_path / "w.safetensors")
    assert notes == {"note": "x"} and digest(found) == digest(arrays)
    assert digest({**arrays, "b": arrays["b"] + 1}) != digest(arrays) != digest({"c": arrays["b"], "a": arrays["a"]})


class Counting(Pixels):
    """Pixels under another name, which count how often they are asked."""

    asked = 0

    def check(self, shape):
        Counting.asked += 1


def test_features_of_real_images_are_kept_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    Counting.asked = 0
    extractor = Counting(name="counting", digest="1")
    first, again = reference.features(images(5), extractor), reference.features(images(5), extractor)
    assert Counting.asked == 1 and again.logits is None
    np.testing.assert_array_equal(first.x, again.x)
    reference.features(images(5, seed=1), extractor)
    reference.features(images(5), Counting(name="counting", digest="2"))
    reference.features(images(5), Counting(name="counting", digest="1", resize="other"))
    assert Counting.asked == 4
    for path in (tmp_path / "genlab" / "features").iterdir():
        path.write_bytes(path.read_bytes()[:50])  # cut short by a full disk
    np.testing.assert_array_equal(reference.features(images(5), extractor).x, first.x)
    assert Counting.asked == 5


def test_a_cache_that_cannot_be_written_to_costs_only_time(tmp_path, monkeypatch):
    (tmp_path / "genlab").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert reference.features(images(3), Counting(name="counting")).x.shape == (3, 64)


def test_references_are_parts_of_the_splits():
    dataset = load(Data())
    train, all_of_it = reference.examples(dataset, "train"), reference.examples(dataset, "train+validation")
    assert (len(train.x), len(all_of_it.x), len(reference.examples(dataset, "test").x)) == (1437, 1617, 180)
    some = reference.examples(dataset, "train", 100)
    np.testing.assert_array_equal(some.x, train.x[:100])
    assert len({train.digest, all_of_it.digest, some.digest}) == 3 and len(train.digest) == 12
    assert len(set(some.label)) == 10  # at random, not the first ones
    with pytest.raises(Invalid, match="n_real: 2000 is not at most 1437, the size of digits's train split"):
        reference.examples(dataset, "train", 2000)
    with pytest.raises(Invalid, match="split: 'test' is not a split that digits has examples in"):
        reference.examples(load(Data(test=0.0)), "test")
