"""MANY KNEES: cases in, small figures out, over as many processes as asked, with the same bits for any number of them."""

from kneeload.population.batch import simulate_many
from kneeload.population.design import Design, Run, Scenario
from kneeload.population.distribution import Distribution, Marginal
from kneeload.population.figures import CaseFigures
from kneeload.population.run import Study, run_population

__all__ = ["CaseFigures", "Design", "Distribution", "Marginal", "Run", "Scenario", "Study", "run_population", "simulate_many"]
