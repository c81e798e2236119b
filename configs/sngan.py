"""GAN with the hinge loss and a discriminator under spectral norm (Miyato et al. 2018), on the bundled digits.

Adam's decays are the paper's, its rate is five times as high: at the 2e-4 of the paper and of `hinge_gan`, and one
update of the discriminator to one of the generator, 8,000 iterations end in samples that are no digits yet.

Command:   python scripts/train.py --config sngan
Hardware:  two CPU cores, 13 minutes while they do much other work
Expect:    Frechet distance 0.32, precision 0.88, recall 0.92 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset
from genlab.config.sections import Train
from genlab.parts.optimizer import Optimizer

gan = preset("gan")
adam = Optimizer(learning_rate=1e-3, b1=0.0, b2=0.9, eps=1e-5)
config = replace(
    gan,
    method=replace(
        gan.method,
        loss="hinge",
        discriminator=replace(gan.method.discriminator, dropout=0.0, spectral=True, pool="sum"),
        generator_optimizer=adam,
        discriminator_optimizer=adam,
        n_discriminator=3,
    ),
    train=Train(steps=6000),
)
