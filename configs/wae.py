"""Wasserstein autoencoder with an MMD penalty, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config wae
Hardware:  two CPU cores, about 64 s while they do other work
Expect:    Frechet distance 0.95, precision 0.46, recall 0.89 (scripts/evaluate.py --seeds 10; one seed of training)
Published: FID 55 on CelebA (Tolstikhin et al. 2018, table 1); not yet run here
"""

from genlab.config.sections import Config, Train
from genlab.methods.wae import WAE
from genlab.parts.optimizer import Optimizer

config = Config(method=WAE(optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
