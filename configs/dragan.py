"""DRAGAN (Kodali et al. 2017): a penalty around the real examples, on the bundled digits.

Command:   python scripts/train.py --config dragan
Hardware:  two CPU cores, 37 s while they do other work
Expect:    Frechet distance 0.04, precision 0.80, recall 0.69 in pixels (scripts/evaluate.py; one seed)
"""

from genlab.kernels.penalty import Penalty
from genlab.methods.game import Optimizer
from genlab.methods.gan import GAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
config = Config(
    method=GAN(
        loss="non_saturating",
        generator=Net(width=256),
        discriminator=Net(width=256, activation="leaky_relu"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        penalty=Penalty(where="dragan"),
    ),
    train=Train(steps=8000),
)
