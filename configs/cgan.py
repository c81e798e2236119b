"""GAN of each class with a projection discriminator and the hinge loss (Miyato and Koyama 2018), on the bundled digits.

Command:   python scripts/train.py --config cgan
Hardware:  two CPU cores, 4 minutes while they do much other work
Expect:    Frechet distance 0.35, precision 0.92, recall 0.86; label accuracy 0.99, the share of samples that the
           shipped classifier sees in the class they were asked for (scripts/evaluate.py; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset
from genlab.parts.labels import Conditioning

gan = preset("hinge_gan")
discriminator = replace(gan.method.discriminator, pool="sum")
config = replace(
    gan, method=replace(gan.method, classes=10, labels=Conditioning("projection"), discriminator=discriminator)
)
