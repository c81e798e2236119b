"""Least-squares GAN (Mao et al. 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config lsgan
Hardware:  two CPU cores, 42 s while they do other work
Expect:    Frechet distance 0.52, precision 0.85, recall 0.43 in pixels (scripts/evaluate.py; one seed)
"""

from dataclasses import replace

from genlab.train.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="least_squares"))
