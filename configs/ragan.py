"""Relativistic average GAN (Jolicoeur-Martineau 2019), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ragan
Hardware:  two CPU cores, 104 s while they do other work
Expect:    Frechet distance 0.62, precision 0.87, recall 0.57 in pixels (scripts/evaluate.py; one seed)
"""

from genlab.methods.game import Optimizer
from genlab.methods.gan import GAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
config = Config(
    method=GAN(
        loss="relativistic_average",
        generator=Net(width=256),
        discriminator=Net(width=256, activation="leaky_relu"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    ),
    train=Train(steps=8000),
)
