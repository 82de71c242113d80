"""Hydra configuration of kneeload, installed as the package kneeload.conf."""
