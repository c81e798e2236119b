"""Least-squares GAN (Mao et al. 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config lsgan
Hardware:  two CPU cores, 148 s while they do much other work
Expect:    Frechet distance 0.51, precision 0.70, recall 0.92 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="least_squares"))
