"""Least-squares GAN (Mao et al. 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config lsgan
Hardware:  two CPU cores, 42 s while they do other work
Expect:    Frechet distance 2.5, precision 0.81, recall 0.83 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.train.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="least_squares"))
