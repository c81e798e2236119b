"""Relativistic average GAN (Jolicoeur-Martineau 2019), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config ragan
Hardware:  two CPU cores, 4 minutes while they do much other work
Expect:    Frechet distance 0.42, precision 0.71, recall 0.93, 6 % of samples in the rarest class (scripts/evaluate.py
           --seeds 10; three seeds of training)
"""

from dataclasses import replace

from genlab.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="relativistic_average"))
