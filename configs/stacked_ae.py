"""TODO."""

from genlab.methods.game import Optimizer
from genlab.methods.stacked_ae import StackedAE
from genlab.train.config import Config, Train

adam = Optimizer(eps=1e-5)
config = Config(method=StackedAE(optimizer=adam, layer_optimizer=adam), train=Train(steps=5000))
