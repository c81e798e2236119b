"""Ladder VAE with two layers of latents, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ladder_vae
Hardware:  two CPU cores
Expect:    Frechet distance 1.1, precision 0.88, recall 0.56 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.methods.game import Optimizer
from genlab.methods.ladder_vae import LadderVAE
from genlab.train.config import Config, Train

config = Config(method=LadderVAE(warmup=1000, optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
