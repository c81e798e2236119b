"""WGAN-GP on MNIST with the settings of the official code.

As there (gan_mnist.py): 128 latents, DCGANs of 64, 128 and 256 channels without any norm, leaky ReLU in the critic,
batch 50, five critic updates, Adam (0.5, 0.9) at 1e-4, 200,000 iterations, 50,000 training images, no averaged weights.
There pixels lie in [0, 1], here in [-1, 1]: a critic of slope s there has slope s / 2 here, so that 10 (s - 1)^2 is
40 (s / 2 - 1/2)^2, the penalty below. The same initial weights read wider pixels here, and the output is tanh(v), not
sigmoid(v) = (1 + tanh(v / 2)) / 2; an iteration begins with the critic, not with the generator.

Command:   python scripts/train.py --config wgan_gp_mnist --data.dir data/tfds
Expect:    not yet run; made for an accelerator
Published: none by the authors; Lucic et al. (2018): FID 20.3 ± 5.0 with the networks of InfoGAN, 10,000 samples
           against the 10,000 test images, best of 100 settings
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.kernels.penalty import Penalty
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

adam = Optimizer(learning_rate=1e-4, b1=0.5, b2=0.9)
config = Config(
    method=WGANGP(
        latent=128,
        generator=Net("dcgan", width=64),
        critic=Net("dcgan", width=64, activation="leaky_relu"),
        generator_optimizer=adam,
        critic_optimizer=adam,
        penalty=Penalty(weight=40.0, target=0.5),
        n_critic=5,
    ),
    data=Data(name="tfds:mnist", batch_size=50, validation=1 / 6),
    train=Train(steps=200_000, ema=0.0, validate_every=5000),
)
