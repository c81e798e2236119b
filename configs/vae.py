"""VAE with a Bernoulli likelihood, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config vae
"""

from genlab.methods.vae import VAE
from genlab.train.config import Config, Train

config = Config(method=VAE(), train=Train(steps=5000))
