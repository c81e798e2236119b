"""WGAN-GP on 8 Gaussians, in the settings of the official toy code (512 x 3 ReLU, lambda 0.1, batch 256).

Command:   python scripts/train.py --config wgan_gp_points
"""

from genlab.data.config import Data
from genlab.kernels.penalty import Penalty
from genlab.methods.game import Optimizer
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.network import Net
from genlab.train.config import Config, Train

adam = Optimizer(learning_rate=1e-4, b1=0.5, b2=0.9)
config = Config(
    method=WGANGP(
        latent=2,
        generator=Net(width=512),
        critic=Net(width=512),
        generator_optimizer=adam,
        critic_optimizer=adam,
        penalty=Penalty(weight=0.1),
    ),
    data=Data(name="points:8gaussians", batch_size=256),
    train=Train(steps=4000),
)
