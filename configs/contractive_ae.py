"""Contractive autoencoder with an estimated Jacobian norm, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config contractive_ae
Hardware:  two CPU cores, about 47 s while they do other work
Expect:    Frechet distance 0.76, precision 0.41, recall 0.90 (scripts/evaluate.py --seeds 10; one seed of training)
           (--method.contraction.exact takes the norm itself, several times as slow)
"""

from genlab.config.sections import Config, Train
from genlab.methods.ae import AE
from genlab.parts.contraction import Contraction
from genlab.parts.optimizer import Optimizer

config = Config(
    method=AE(
        contraction=Contraction(0.1, exact=False),
        optimizer=Optimizer("adamw", eps=1e-5, weight_decay=1e-2),
    ),
    train=Train(steps=5000),
)
