"""Deep belief network of two hidden layers, on the bundled digits unless --data.name says otherwise."""

from genlab.methods.dbn import DBN
from genlab.methods.game import Optimizer
from genlab.train.config import Config, Train

config = Config(
    method=DBN(hidden=(128,), phase=3000, optimizer=Optimizer("sgd", learning_rate=0.05)),
    train=Train(steps=10000),
)
