"""Relativistic pairing GAN with R1 and R2, the loss of R3GAN (Huang et al. 2024), on the bundled digits.

Command:   python scripts/train.py --config r3gan
Hardware:  two CPU cores, 75 s while they do other work
Expect:    Frechet distance 0.05, precision 0.72, recall 0.69 in pixels (scripts/evaluate.py; one seed)
"""

from genlab.kernels.penalty import Penalty
from genlab.methods.game import Optimizer
from genlab.methods.gan import GAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
config = Config(
    method=GAN(
        loss="relativistic_pairing",
        generator=Net(width=256),
        discriminator=Net(width=256, activation="leaky_relu"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        penalty=Penalty(weight=0.5, where="both", target=0.0),  # gamma 1
    ),
    train=Train(steps=8000),
)
