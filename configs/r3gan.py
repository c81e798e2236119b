"""Relativistic pairing GAN with R1 and R2, the loss of R3GAN (Huang et al. 2024), on the bundled digits.

Command:   python scripts/train.py --config r3gan
Hardware:  two CPU cores, 75 s while they do other work
Expect:    Frechet distance 0.39, precision 0.77, recall 0.92 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset
from genlab.kernels.penalty import Penalty

gan = preset("gan")
penalty = Penalty(weight=0.5, where="both", target=0.0)  # R1 and R2 with gamma 1
discriminator = replace(gan.method.discriminator, dropout=0.0)  # the penalty is in its place
config = replace(
    gan, method=replace(gan.method, loss="relativistic_pairing", discriminator=discriminator, penalty=penalty)
)
