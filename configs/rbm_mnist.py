"""Restricted Boltzmann machine of 500 hidden units on binarised MNIST, by persistent contrastive divergence.

Command:   python scripts/train.py --config rbm_mnist --data.dir DIR
Hardware:  two CPU cores, 11 minutes shared with other trainings; 147 steps/s, which would be 4 minutes, while alone
Expect:    on the 10,000 test images, binarised once: reconstruction 42.5 nats, a root mean square error of 0.251 per
           pixel of [-1, 1]; log p(x) -85.9 to -86.8 nats by 100 annealed runs of 10,000 temperatures from three bases
           (log Z 613.6, 614.1, 614.5, standard errors 0.2, 0.2, 0.5); 1,000 temperatures flatter it by 1 to 3 nats
Published: -86.34 nats for 500 hidden units by CD-25, Salakhutdinov and Murray (2008), table 2; other binarisation
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.methods.rbm import RBM
from genlab.parts.gibbs import Gibbs
from genlab.parts.optimizer import Optimizer

STEPS = 30_000
config = Config(
    method=RBM(
        latent=500,
        persistent=True,
        gibbs=Gibbs(temperatures=10_000),
        optimizer=Optimizer("sgd", learning_rate=0.1, schedule="linear", horizon=STEPS),
    ),
    data=Data(name="tfds:mnist", binarise=True),
    train=Train(steps=STEPS, validate_every=15_000),
)
