"""TODO denoising_ae."""

from genlab.methods.denoising_ae import DenoisingAE
from genlab.methods.game import Optimizer
from genlab.train.config import Config, Train

config = Config(method=DenoisingAE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
