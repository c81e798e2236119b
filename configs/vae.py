"""VAE with a Bernoulli likelihood, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config vae
"""

from genlab.methods.game import Optimizer
from genlab.methods.vae import VAE
from genlab.train.config import Config, Train

config = Config(method=VAE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
