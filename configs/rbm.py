"""Restricted Boltzmann machine, on the bundled digits unless --data.name says otherwise."""

from genlab.methods.game import Optimizer
from genlab.methods.rbm import RBM
from genlab.train.config import Config, Train

config = Config(
    method=RBM(persistent=True, optimizer=Optimizer("sgd", learning_rate=0.05, schedule="linear", horizon=10000)),
    train=Train(steps=10000),
)
