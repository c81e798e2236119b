"""The unconditional ResNet of the WGAN-GP paper on CIFAR-10, with the settings of the official code.

As there (gan_cifar_resnet.py): 128 latents, residual networks of 128 channels, batch norm in the generator and no norm
in the critic, lambda 10, five critic updates on fresh batches of 64, one generator update on 128 fakes, Adam (0, 0.9)
at 2e-4 falling linearly to 0 over 100,000 iterations, uniform dequantisation by 1/128, no flips, no averaged weights.
Unlike there, 1,000 training images are held out to validate on, and an iteration begins with the critic, not with the
generator. The official code splits every batch into two towers, one to a GPU, or both on one where there is but one, so
that its batch norm sees 32 fakes in the critic's updates and 64 in the generator's; here it sees all 64 and all 128, on
however many devices. For the published number sample as there, batch norm with the statistics of each batch of 100,
pixels cut off and not rounded: the last command does.

Command:   python scripts/train.py --config wgan_gp_cifar10 --data.dir data/tfds
           python scripts/evaluate.py runs/wgan_gp_cifar10 --protocol paper --weights FILE
Expect:    not yet run; made for an accelerator
Published: Inception score 7.86 ± 0.07 of 50,000 samples in 10 parts (Gulrajani et al. 2017, table 3)
"""

from genlab.config.sections import Config, Train
from genlab.data.config import Data
from genlab.methods.wgan_gp import WGANGP
from genlab.nn.net import Net
from genlab.parts.optimizer import Optimizer

STEPS = 100_000
adam = Optimizer(learning_rate=2e-4, b1=0.0, b2=0.9, schedule="linear", horizon=STEPS)
config = Config(
    method=WGANGP(
        latent=128,
        generator=Net("resnet", width=128, norm="batch"),
        critic=Net("resnet", width=128),
        generator_optimizer=adam,
        critic_optimizer=adam,
        generator_batch=2,
        n_critic=5,
    ),
    data=Data(name="tfds:cifar10", batch_size=64, dequantise=True, validation=0.02),
    train=Train(steps=STEPS, ema=0.0, validate_every=5000),
)
