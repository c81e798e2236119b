"""Parts of nested dicts by path."""

import pytest

from genlab.errors import Invalid
from genlab.train.paths import below, check, graft, leaves, prune

TREE = {"encoder": {"layers": {0: {"kernel": 1, "bias": 2}, 10: {"kernel": 3}}}, "encoder2": {"kernel": 4}, "codes": {}}
PATHS = {
    "encoder/layers/0/kernel": 1,
    "encoder/layers/0/bias": 2,
    "encoder/layers/10/kernel": 3,
    "encoder2/kernel": 4,
}


def test_leaves_have_paths():
    assert dict(leaves(TREE)) == PATHS


@pytest.mark.parametrize(
    ("part", "count"), [("encoder", 3), ("encoder/layers/1", 0), ("encoder/layers/0", 2), ("encoder2/kernel", 1)]
)
def test_a_part_is_whole_names(part, count):
    """Not their beginnings: encoder2 is no part of encoder, nor layer 10 of layer 1."""
    assert sum(below(path, (part,)) for path in PATHS) == count


def test_what_is_pruned_can_be_grafted_back():
    part = prune(TREE, lambda path: below(path, ("encoder/layers/0",)))
    assert dict(leaves(part)) == {"encoder/layers/0/kernel": 1, "encoder/layers/0/bias": 2}
    assert graft(TREE, part) == TREE
    part["encoder"]["layers"][0]["bias"] = 7
    assert dict(leaves(graft(TREE, part))) == PATHS | {"encoder/layers/0/bias": 7}
    assert dict(leaves(TREE)) == PATHS
    assert prune(TREE, lambda path: True) == TREE


@pytest.mark.parametrize(
    ("part", "beside"),
    [
        ("encodr", "there are encoder, encoder2"),
        ("encoder/layrs/0", "there is encoder/layers"),
        ("encoder/layers/1", "there are encoder/layers/0, encoder/layers/10"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(part, beside):
    with pytest.raises(Invalid, match=f"^freeze: '{part}' is not here; {beside}$"):
        check(part, PATHS, "freeze", "here")
    check("encoder/layers", PATHS, "freeze", "here")
