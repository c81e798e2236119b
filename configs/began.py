"""BEGAN (Berthelot et al. 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config began
"""

from genlab.methods.began import BEGAN
from genlab.methods.game import Optimizer
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
net = Net(width=256, activation="elu")
config = Config(
    method=BEGAN(
        generator=net, discriminator=net, generator_optimizer=adam, discriminator_optimizer=adam, code=32, k_rate=0.01
    ),
    train=Train(steps=8000),
)
