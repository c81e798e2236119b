"""BEGAN (Berthelot et al. 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config began
"""

from dataclasses import replace

from genlab.methods.began import BEGAN
from genlab.methods.game import Optimizer
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=1e-3, b1=0.5, b2=0.999, eps=1e-5)
net = Net(width=256, activation="elu")
config = Config(
    method=BEGAN(
        latent=8,
        code=4,  # an autoencoder that can rebuild anything tells nothing apart
        gamma=0.95,
        k_rate=0.01,
        generator=net,
        discriminator=net,
        generator_optimizer=adam,
        discriminator_optimizer=replace(adam, learning_rate=5e-4),  # a faster one leaves the generator a single digit
    ),
    train=Train(steps=8000),
)
