"""Adversarial autoencoder, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config aae
Hardware:  two CPU cores, about 79 s while they do other work
Expect:    Frechet distance 0.72, precision 0.57, recall 0.93 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.aae import AAE
from genlab.parts.optimizer import Optimizer

adam = Optimizer(eps=1e-5)
against = Optimizer(learning_rate=2e-4, b1=0.5, eps=1e-5)
config = Config(
    method=AAE(optimizer=adam, discriminator_optimizer=against, generator_optimizer=against), train=Train(steps=5000)
)
