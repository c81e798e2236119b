"""GAN with the hinge loss and a discriminator under spectral norm (Miyato et al. 2018), on the bundled digits.

Adam's decays are the paper's. Its learning rate and the other hinge loss's here, 2e-4, is too low for so few iterations:
bounded slopes make weak gradients.

Command:   python scripts/train.py --config sngan
Hardware:  not yet run
Expect:    not yet run
"""

from dataclasses import replace

from genlab.methods.game import Optimizer
from genlab.train.cli import preset

gan = preset("gan")
adam = Optimizer(learning_rate=1e-3, b1=0.0, b2=0.9, eps=1e-5)
config = replace(
    gan,
    method=replace(
        gan.method,
        loss="hinge",
        discriminator=replace(gan.method.discriminator, spectral=True),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        n_discriminator=3,
    ),
)
