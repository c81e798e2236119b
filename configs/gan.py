"""Non-saturating GAN (Goodfellow et al. 2014), on the bundled digits unless --data.name says otherwise.

As there (section 5), dropout in the discriminator: without it, it learns the 1,437 images by heart (loss 0.56 in
training, 1.76 in validation), and the generator loses digits (Frechet distance 2.4, 1 % in the rarest class).

Command:   python scripts/train.py --config gan
Hardware:  two CPU cores, 4 minutes while they do much other work
Expect:    Frechet distance 0.42, precision 0.71, recall 0.93, 6 % in the rarest class (scripts/leaderboard.py
           --seeds 10; three seeds in the README)
"""

from genlab.config.sections import Config, Train
from genlab.methods.gan import GAN
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

adam = Optimizer(learning_rate=2e-4, b1=0.5, b2=0.999, eps=1e-5)
config = Config(
    method=GAN(
        generator=Net(width=256),
        discriminator=Net(width=256, activation="leaky_relu", dropout=0.2),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
    ),
    train=Train(steps=8000),
)
