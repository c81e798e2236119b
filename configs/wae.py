"""TODO wae."""

from genlab.methods.game import Optimizer
from genlab.methods.wae import WAE
from genlab.train.config import Config, Train

config = Config(method=WAE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
