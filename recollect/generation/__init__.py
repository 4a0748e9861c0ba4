"""What generative methods share: replay of latents, sampling, snapshots."""
