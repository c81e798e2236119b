"""GAN with the hinge loss (Lim and Ye 2017), on the bundled digits unless --data.name says otherwise.

Command:   python scripts/train.py --config hinge_gan
Hardware:  two CPU cores, 4 minutes while they do much other work
Expect:    Frechet distance 0.41, precision 0.72, recall 0.92 (scripts/evaluate.py --seeds 10; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, loss="hinge"))
