"""TODO sparse_ae."""

from genlab.methods.game import Optimizer
from genlab.methods.sparse_ae import SparseAE
from genlab.train.config import Config, Train

config = Config(method=SparseAE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
