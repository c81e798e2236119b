"""DRAGAN (Kodali et al. 2017): a penalty around the real examples, on the bundled digits.

The noise is the Gaussian of the paper's Algorithm 1. The authors' code draws from U[0, 1) times half the deviation of
the batch instead, which moves every pixel the same way, towards white: `--method.penalty.where dragan_uniform`.

Command:   python scripts/train.py --config dragan
Hardware:  two CPU cores, 37 s while they do other work
Expect:    Frechet distance 0.37, precision 0.78, recall 0.93 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset
from genlab.kernels.penalty import Penalty

gan = preset("gan")
discriminator = replace(gan.method.discriminator, dropout=0.0)  # the penalty is in its place
config = replace(gan, method=replace(gan.method, discriminator=discriminator, penalty=Penalty(where="dragan")))
