"""VAE-GAN, on the bundled digits unless --data.name says otherwise.

The discriminator learns slowly: at ten times the rate it wins at once, and its features grow without end.

Command:   python scripts/train.py --config vae_gan
Hardware:  two CPU cores, about 2 minutes while they do other work
Expect:    Frechet distance 0.52, precision 0.71, recall 0.92 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from genlab.config.sections import Config, Train
from genlab.methods.vae_gan import VAEGAN
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

config = Config(
    method=VAEGAN(
        discriminator=Net(activation="leaky_relu"),
        optimizer=Optimizer(learning_rate=5e-4, b1=0.5, eps=1e-5),
        discriminator_optimizer=Optimizer(learning_rate=1e-4, b1=0.5),
    ),
    train=Train(steps=3000),
)
