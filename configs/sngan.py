"""GAN with the hinge loss and a discriminator under spectral norm (Miyato et al. 2018), on the bundled digits.

Command:   python scripts/train.py --config sngan
Hardware:  not yet run
Expect:    not yet run
"""

from dataclasses import replace

from genlab.train.cli import preset

gan = preset("gan")
discriminator = replace(gan.method.discriminator, spectral=True)
config = replace(gan, method=replace(gan.method, loss="hinge", discriminator=discriminator))
