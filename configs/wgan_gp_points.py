"""WGAN-GP on 8 Gaussians (--data.name points:25gaussians or points:swissroll for the others of the official toy code).

As there: ReLU networks of three layers, two latents, batch 256, lambda 0.1, five critic updates. For two CPU cores the
networks are 128 wide instead of 512 and the learning rate is ten times as high, falling to 0 over the 6,000 iterations.

Command:   python scripts/train.py --config wgan_gp_points
Hardware:  two CPU cores, about 2 minutes while they do other work
Expect:    8 of 8 modes, 95 % of samples within 4 standard deviations of one (scripts/evaluate.py)
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.kernels.penalty import Penalty
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

STEPS = 6000
adam = Optimizer(learning_rate=1e-3, b1=0.5, b2=0.9, eps=1e-5, schedule="linear", horizon=STEPS)
config = Config(
    method=WGANGP(
        latent=2,
        generator=Net(width=128),
        critic=Net(width=128),
        generator_optimizer=adam,
        critic_optimizer=adam,
        penalty=Penalty(weight=0.1),
        n_critic=5,
    ),
    data=Data(name="points:8gaussians", batch_size=256),
    train=Train(steps=STEPS),
)
