"""Least-squares GAN (Mao et al. 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config lsgan
Hardware:  two CPU cores, 42 s while they do other work
Expect:    Frechet distance 0.52, precision 0.85, recall 0.43 in pixels (scripts/evaluate.py; one seed)
"""

from genlab.methods.game import Optimizer
from genlab.methods.gan import GAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
config = Config(
    method=GAN(
        loss="least_squares",
        generator=Net(width=256),
        discriminator=Net(width=256, activation="leaky_relu"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    ),
    train=Train(steps=8000),
)
