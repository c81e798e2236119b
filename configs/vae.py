"""VAE with a Bernoulli likelihood, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config vae
Hardware:  two CPU cores, 20 to 30 s
Expect:    Frechet distance 1.3, precision 0.84, recall 0.51: samples are means (scripts/leaderboard.py)
"""

from genlab.config.sections import Config, Train
from genlab.methods.vae import VAE
from genlab.parts.optimizer import Optimizer

config = Config(method=VAE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
