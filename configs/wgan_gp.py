"""WGAN-GP, on the 1,797 real handwritten digits that come with scikit-learn unless --data.name says otherwise.

Command:   python scripts/train.py --config wgan_gp
Hardware:  two CPU cores, 91 s with a cold cache
Expect:    Frechet distance 0.31, precision 0.90, recall 0.92 (scripts/leaderboard.py; three seeds in the README)
"""

from genlab.config.sections import Config, Train
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

# eps is well above the rounding of the gradients: with 1e-8, weights whose gradient cancels would move by its noise,
# and so differently on other numbers of devices
adam = Optimizer(learning_rate=1e-3, b1=0.0, b2=0.9, eps=1e-5)
config = Config(
    method=WGANGP(
        latent=64,
        generator=Net(width=256),
        critic=Net(width=256, activation="leaky_relu"),
        generator_optimizer=adam,
        critic_optimizer=adam,
        n_critic=3,
    ),
    train=Train(steps=6000),
)
