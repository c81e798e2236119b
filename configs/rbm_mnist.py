"""Restricted Boltzmann machine of 500 hidden units on dynamically binarised MNIST."""

from genlab.data.config import Data
from genlab.methods.game import Optimizer
from genlab.methods.rbm import RBM
from genlab.train.config import Config, Train

STEPS = 30_000
config = Config(
    method=RBM(
        latent=500,
        persistent=True,
        temperatures=10_000,
        optimizer=Optimizer("sgd", learning_rate=0.1, schedule="linear", horizon=STEPS),
    ),
    data=Data(name="tfds:mnist", binarise=True),
    train=Train(steps=STEPS, validate_every=15_000),
)
