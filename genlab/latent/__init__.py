"""Walking through a latent space: pure functions of arrays, and of a decoder where one is needed."""
