"""Relativistic average GAN (Jolicoeur-Martineau 2019), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ragan
Hardware:  two CPU cores, 104 s while they do other work
Expect:    Frechet distance 3.3, precision 0.87, recall 0.87 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.train.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="relativistic_average"))
