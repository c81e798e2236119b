"""Wasserstein GAN with weight clipping (Arjovsky et al. 2017), on the bundled digits.

Its critic is the baseline that a gradient penalty is to beat; RMSProp as in the paper, at ten times its rate.

Command:   python scripts/train.py --config wgan
Hardware:  two CPU cores, 45 s while they do other work
Expect:    Frechet distance 0.4, precision 0.44, recall 0.95 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.methods.game import Optimizer
from genlab.methods.wgan import WGAN
from genlab.nn.network import Net
from genlab.train.config import Config, Train

rmsprop = Optimizer(name="rmsprop", learning_rate=5e-4, b2=0.99, eps=1e-8)
config = Config(
    method=WGAN(
        generator=Net(width=256),
        critic=Net(width=256, activation="leaky_relu"),
        generator_optimizer=rmsprop,
        critic_optimizer=rmsprop,
        n_critic=3,
    ),
    train=Train(steps=6000),
)
