"""DRAGAN (Kodali et al. 2017): a penalty around the real examples, on the bundled digits.

Command:   python scripts/train.py --config dragan
Hardware:  two CPU cores, 37 s while they do other work
Expect:    Frechet distance 0.04, precision 0.80, recall 0.69 in pixels (scripts/evaluate.py; one seed)
"""

from dataclasses import replace

from genlab.kernels.penalty import Penalty
from genlab.train.cli import preset

gan = preset("gan")
config = replace(gan, method=replace(gan.method, penalty=Penalty(where="dragan")))
