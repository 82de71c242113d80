"""MANY KNEES: cases in, small figures out, over as many processes as asked, with the same bits for any number of them."""

from kneeload.population.batch import simulate_many
from kneeload.population.figures import CaseFigures

__all__ = ["CaseFigures", "simulate_many"]
