"""Denoising autoencoder, a quarter of the pixels blanked, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config denoising_ae
Hardware:  two CPU cores, about 31 s while they do other work
Expect:    Frechet distance 1.4, precision 0.60, recall 0.83 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.kernels.corruption import Corruption
from genlab.methods.ae import AE
from genlab.parts.optimizer import Optimizer

config = Config(
    method=AE(corruption=Corruption("masking", 0.25), optimizer=Optimizer(eps=1e-5)), train=Train(steps=5000)
)
