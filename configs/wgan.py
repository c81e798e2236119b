"""Wasserstein GAN with weight clipping (Arjovsky et al. 2017), on the bundled digits.

Its critic is the baseline that a gradient penalty is to beat; RMSProp as in the paper, at ten times its rate, and
clipped at ten times its limit: at 0.01 the slope of so small a critic vanishes (precision 0.47, hardly a mode of the
toy sets).

Command:   python scripts/train.py --config wgan
Hardware:  two CPU cores, 31 s
Expect:    Frechet distance 0.36, precision 0.72, recall 0.95 (scripts/evaluate.py --seeds 10 --step last; one seed of
           training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.wgan import WGAN
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

rmsprop = Optimizer(name="rmsprop", learning_rate=5e-4, b2=0.99, eps=1e-8)
config = Config(
    method=WGAN(
        generator=Net(width=256),
        critic=Net(width=256, activation="leaky_relu"),
        generator_optimizer=rmsprop,
        critic_optimizer=rmsprop,
        n_critic=3,
        clip=0.1,
    ),
    train=Train(steps=6000),
)
