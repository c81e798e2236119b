"""Conditional GAN with a projection discriminator."""

from dataclasses import replace

from genlab.train.cli import preset

gan = preset("hinge_gan")
config = replace(gan, method=replace(gan.method, classes=10, label="projection"))
