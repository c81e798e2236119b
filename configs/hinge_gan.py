"""GAN with the hinge loss (Lim and Ye 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config hinge_gan
Hardware:  two CPU cores, 68 s while they do other work
Expect:    Frechet distance 1, precision 0.83, recall 0.88 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.train.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="hinge"))
