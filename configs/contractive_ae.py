"""Contractive autoencoder with an estimated Jacobian norm, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config contractive_ae
Hardware:  two CPU cores, about 47 s while they do other work
Expect:    Frechet distance 0.76, precision 0.41, recall 0.90 (scripts/evaluate.py --seeds 10; one seed of training)
           (--method.exact takes the norm itself, several times as slow)
"""

from genlab.config.sections import Config, Train
from genlab.methods.contractive_ae import ContractiveAE
from genlab.parts.optimizer import Optimizer

config = Config(
    method=ContractiveAE(exact=False, optimizer=Optimizer("adamw", eps=1e-5, weight_decay=1e-2)),
    train=Train(steps=5000),
)
