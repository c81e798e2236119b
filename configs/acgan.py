"""ACGAN."""

from dataclasses import replace

from genlab.train.cli import preset

wgan_gp = preset("wgan_gp")
net = replace(wgan_gp.method.generator, norm="batch")
config = replace(wgan_gp, method=replace(wgan_gp.method, generator=net, classes=10, label="auxiliary"))
