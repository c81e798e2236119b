"""The one-layer IWAE of Burda et al. (2016) on MNIST, their networks and their schedule; k = 1 is their VAE.

As there: 784-200-200-50 and back with tanh, dynamic binarisation, batch 20, a last bias that starts at the logit of the
data's mean, Adam with eps 1e-4, pass i = 0..7 over 3^i epochs at a rate of 10^(-3 - i / 7), 3,280 epochs in all. Unlike
there, 1,000 training images are held out, and hidden layers start from He's initialisation.

Command:   python scripts/train.py --config iwae_mnist --data.dir data/tfds
Expect:    not yet run; 9.7 million iterations
Published: -log p(x) 86.76 (k = 1), 85.54 (k = 5), 84.78 (k = 50) nats from 5,000 samples
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.methods.vae import VAE
from genlab.nn.net import Net
from genlab.parts.objective import Objective
from genlab.parts.optimizer import Optimizer

BATCH, EPOCH = 20, 59_000 // 20  # iterations
PASSES = [3**i * EPOCH for i in range(8)]
net = Net(width=200, depth=2, activation="tanh")
adam = Optimizer(
    learning_rate=1e-3,
    eps=1e-4,
    schedule="steps",
    milestones=tuple(sum(PASSES[: i + 1]) for i in range(7)),
    decay=10 ** (-1 / 7),
)
config = Config(
    method=VAE(latent=50, objective=Objective("iwae", k=50), encoder=net, decoder=net, optimizer=adam),
    data=Data(name="tfds:mnist", binarise=True, batch_size=BATCH, validation=1 / 60),
    train=Train(steps=sum(PASSES), validate_every=EPOCH * 10),
)
