"""Non-saturating GAN on MNIST with the networks and settings of DCGAN (Radford et al. 2016).

As there: 5x5 convolutions of stride 2, batch norm in both networks, leaky ReLU 0.2 in the discriminator, batch 128,
Adam (0.5, 0.999) at 2e-4. Unlike there, 64 to 256 channels (three halvings of 28 pixels), latents from N(0, I) and not
from a uniform distribution, the initial weights of the official WGAN-GP code, and averaged weights to sample from.

Command:   python scripts/train.py --config gan_mnist --data.dir data/tfds
Expect:    not yet run; made for an accelerator
Published: Lucic et al. (2018): FID 6.8 ± 0.5 with the networks of InfoGAN, 10,000 samples against the 10,000 test
           images, best of 100 settings
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.methods.gan import GAN
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999)
config = Config(
    method=GAN(
        latent=100,
        generator=Net("dcgan", width=64, norm="batch"),
        discriminator=Net("dcgan", width=64, norm="batch", activation="leaky_relu"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    ),
    data=Data(name="tfds:mnist", validation=1 / 60),
    train=Train(steps=20_000),
)
