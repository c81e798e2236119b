"""Importance-weighted autoencoder, 5 latents an example, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config iwae
Hardware:  two CPU cores
Expect:    Frechet distance 0.77, precision 0.92, recall 0.52 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.vae import VAE
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer

config = Config(method=VAE(objective=Objective("iwae", k=5), optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
