"""genlab: autoencoders, VAEs, GANs and WGAN-GP in JAX; small enough to read, exact enough to trust."""
