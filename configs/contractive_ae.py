"""TODO."""

from genlab.methods.contractive_ae import ContractiveAE
from genlab.methods.game import Optimizer
from genlab.train.config import Config, Train

config = Config(
    method=ContractiveAE(exact=False, optimizer=Optimizer("adamw", eps=1e-5, weight_decay=1e-2)),
    train=Train(steps=5000),
)
