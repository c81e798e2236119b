"""Sparse autoencoder of 64 sigmoid units, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config sparse_ae
Hardware:  two CPU cores, about 48 s while they do other work
Expect:    Frechet distance 0.89, precision 0.38, recall 0.87 (scripts/evaluate.py --seeds 10; one seed of training)
           mean activity 0.10, the rate asked for (validation/model/activity)
"""

from genlab.config.sections import Config, Train
from genlab.methods.ae import AE
from genlab.parts.optimizer import Optimizer
from genlab.parts.sparsity import Sparsity

config = Config(method=AE(latent=64, sparsity=Sparsity("kl"), optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000))
