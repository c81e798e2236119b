"""Non-saturating GAN, on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config gan
Hardware:  two CPU cores, about 80 s while they do other work
Expect:    Frechet distance 2.1, precision 0.85, recall 0.84 (scripts/leaderboard.py; three seeds in the README)
"""

from genlab.methods.game import Optimizer
from genlab.methods.gan import GAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
config = Config(
    method=GAN(
        generator=Net(width=256),
        discriminator=Net(width=256, activation="leaky_relu", dropout=0.2),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    ),
    train=Train(steps=8000),
)
