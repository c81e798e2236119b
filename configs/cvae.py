"""VAE of each class, p(x|y) (Sohn et al. 2015), on the bundled digits; of another set, --method.classes is its number.

Command:   python scripts/train.py --config cvae
Hardware:  two CPU cores, 75 s while they do other work
Expect:    Frechet distance 0.66, precision 1.00, recall 0.38; label accuracy 1.00, the share of samples that the
           shipped classifier sees in the class they were asked for (scripts/evaluate.py; one seed of training)
"""

from dataclasses import replace

from genlab.cli import preset

vae = preset("vae")
config = replace(vae, method=replace(vae.method, classes=10))
