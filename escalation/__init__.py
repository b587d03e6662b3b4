"""From coded incidents to who is followed by whom, dated forecasts, and a report.

Every public noun is named once below, with one sentence; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from escalation.actors import Actor as Actor
    from escalation.actors import Actors as Actors
    from escalation.actors import Country as Country
    from escalation.actors import country as country
    from escalation.actors import near_duplicates as near_duplicates
    from escalation.agreement import cohen_kappa as cohen_kappa
    from escalation.agreement import krippendorff_alpha as krippendorff_alpha
    from escalation.background import Background as Background
    from escalation.background import Covariates as Covariates
    from escalation.background import Interventions as Interventions
    from escalation.backtest import Backtest as Backtest
    from escalation.backtest import TimeLeft as TimeLeft
    from escalation.backtest import Vintages as Vintages
    from escalation.backtest import run_backtest as run_backtest
    from escalation.baselines import Analogue as Analogue
    from escalation.baselines import Climatology as Climatology
    from escalation.baselines import Conflictology as Conflictology
    from escalation.baselines import ExponentialResampling as ExponentialResampling
    from escalation.baselines import ExponentialSmoothing as ExponentialSmoothing
    from escalation.baselines import Persistence as Persistence
    from escalation.baselines import SeasonalGLM as SeasonalGLM
    from escalation.baselines import Zero as Zero
    from escalation.checks import calibrate as calibrate
    from escalation.checks import check as check
    from escalation.checks import compare as compare
    from escalation.checks import predictive_check as predictive_check
    from escalation.checks import prior_predictive as prior_predictive
    from escalation.checks import sensitivity as sensitivity
    from escalation.checks import unrecorded as unrecorded
    from escalation.cleaning import Cleaned as Cleaned
    from escalation.cleaning import Cleaning as Cleaning
    from escalation.cleaning import Outlines as Outlines
    from escalation.codes import CodeScheme as CodeScheme
    from escalation.codes import unknown_codes as unknown_codes
    from escalation.coding import CodingCheck as CodingCheck
    from escalation.coding import CodingComparison as CodingComparison
    from escalation.coding import check_coding as check_coding
    from escalation.coding import compare_codings as compare_codings
    from escalation.coding import write_coding_template as write_coding_template
    from escalation.counts import Autoregression as Autoregression
    from escalation.counts import Component as Component
    from escalation.counts import EndemicEpidemic as EndemicEpidemic
    from escalation.counts import GaussianProcess as GaussianProcess
    from escalation.counts import Hurdle as Hurdle
    from escalation.counts import Ingarch as Ingarch
    from escalation.counts import Latent as Latent
    from escalation.counts import LatentPath as LatentPath
    from escalation.counts import LogLinear as LogLinear
    from escalation.counts import Neighbours as Neighbours
    from escalation.counts import Panel as Panel
    from escalation.counts import Phases as Phases
    from escalation.counts import RandomIntercepts as RandomIntercepts
    from escalation.counts import RandomWalk as RandomWalk
    from escalation.counts import Regimes as Regimes
    from escalation.counts import Response as Response
    from escalation.counts import Signs as Signs
    from escalation.counts import UnitEstimates as UnitEstimates
    from escalation.counts import WhatIf as WhatIf
    from escalation.counts import what_if as what_if
    from escalation.dynamics import Dynamics as Dynamics
    from escalation.early_warning import EarlyWarning as EarlyWarning
    from escalation.early_warning import WarningRecord as WarningRecord
    from escalation.engines import NUTS as NUTS
    from escalation.engines import Laplace as Laplace
    from escalation.engines import MaximumLikelihood as MaximumLikelihood
    from escalation.engines import QuasiLikelihood as QuasiLikelihood
    from escalation.ensemble import Ensemble as Ensemble
    from escalation.ensemble import Learning as Learning
    from escalation.ensemble import PastForecasts as PastForecasts
    from escalation.ensemble import Recalibration as Recalibration
    from escalation.ensemble import pool_forecasts as pool_forecasts
    from escalation.ensemble import recalibrated_over_time as recalibrated_over_time
    from escalation.fetch import AcledRequest as AcledRequest
    from escalation.fetch import Fetched as Fetched
    from escalation.fetch import FetchError as FetchError
    from escalation.fetch import GdeltRequest as GdeltRequest
    from escalation.fetch import UcdpRequest as UcdpRequest
    from escalation.fit import Fit as Fit
    from escalation.forecast import Forecast as Forecast
    from escalation.hawkes import Hawkes as Hawkes
    from escalation.hawkes import Marks as Marks
    from escalation.hawkes import NonlinearHawkes as NonlinearHawkes
    from escalation.hawkes import Shrinkage as Shrinkage
    from escalation.hawkes import branching_estimate as branching_estimate
    from escalation.hawkes import cascade as cascade
    from escalation.hawkes import era_table as era_table
    from escalation.hawkes import excitation_test as excitation_test
    from escalation.hawkes import profile_interval as profile_interval
    from escalation.hawkes import residuals as residuals
    from escalation.hawkes import same_day_test as same_day_test
    from escalation.hawkes import trend_test as trend_test
    from escalation.incidents import Incidents as Incidents
    from escalation.kernels import Exponential as Exponential
    from escalation.kernels import FreeLags as FreeLags
    from escalation.kernels import GeometricLags as GeometricLags
    from escalation.kernels import Histogram as Histogram
    from escalation.kernels import Lomax as Lomax
    from escalation.kernels import Mixture as Mixture
    from escalation.kernels import OneLag as OneLag
    from escalation.kernels import PoissonLags as PoissonLags
    from escalation.kernels import Weibull as Weibull
    from escalation.merging import Matches as Matches
    from escalation.merging import Matching as Matching
    from escalation.merging import Merged as Merged
    from escalation.merging import merge as merge
    from escalation.nowcast import Nowcast as Nowcast
    from escalation.nowcast import NowcastFit as NowcastFit
    from escalation.nowcast import ReportingTriangle as ReportingTriangle
    from escalation.nowcast import fit_over_nowcasts as fit_over_nowcasts
    from escalation.own_history import OwnHistoryPool as OwnHistoryPool
    from escalation.own_history import PooledAnalogues as PooledAnalogues
    from escalation.own_history import SmoothedResampling as SmoothedResampling
    from escalation.own_history import SmoothHurdle as SmoothHurdle
    from escalation.parameters import Parameter as Parameter
    from escalation.redating import fit_over_dates as fit_over_dates
    from escalation.report import write_report as write_report
    from escalation.results import Results as Results
    from escalation.run import run as _run
    from escalation.series import CountSeries as CountSeries
    from escalation.series import EventSeries as EventSeries
    from escalation.series import PanelSeries as PanelSeries
    from escalation.series import read_counts as read_counts
    from escalation.severity import DeathRecords as DeathRecords
    from escalation.severity import Severity as Severity
    from escalation.severity import SeverityFit as SeverityFit
    from escalation.sources import read as read
    from escalation.streams import Stream as Stream
    from escalation.streams import crosses_border as crosses_border
    from escalation.study import Study as Study
    from escalation.tally import Tally as Tally
    from escalation.tally import count_streams as count_streams
    from escalation.trend_choice import choose_trend as choose_trend
    from escalation.vintages import ReleaseChanges as ReleaseChanges
    from escalation.vintages import Releases as Releases
    from escalation.vintages import compare_releases as compare_releases
    from escalation.vintages import reporting_delay as reporting_delay
    from escalation.window import Window as Window

    run_study = _run  # `escalation.run` is the module

_HOMES = {
    # The half-open span of days that was watched, and its gaps.
    "Window": "escalation.window",
    # One actor: its name, its other names, and where it is at home.
    "Actor": "escalation.actors",
    # All actors of a study, found by any of their names.
    "Actors": "escalation.actors",
    # A country under all of its names and codes.
    "Country": "escalation.actors",
    # Find a country by a name or a code.
    "country": "escalation.actors",
    # Names that may mean the same actor.
    "near_duplicates": "escalation.actors",
    # The codes of one source: names, tree, classes, scores.
    "CodeScheme": "escalation.codes",
    # List the codes of incidents that their scheme lacks.
    "unknown_codes": "escalation.codes",
    # The validated table of coded incidents, with the rows that were not taken, and why.
    "Incidents": "escalation.incidents",
    # Read a file of incidents from a named source.
    "read": "escalation.sources",
    # Events that are fetched through the API of UCDP.
    "UcdpRequest": "escalation.fetch",
    # Events that are fetched through the API of ACLED.
    "AcledRequest": "escalation.fetch",
    # Event files that are fetched from the lists of GDELT.
    "GdeltRequest": "escalation.fetch",
    # The end of a fetch: the file, where it came from, what to know of it.
    "Fetched": "escalation.fetch",
    # A fetch that did not end well.
    "FetchError": "escalation.fetch",
    # Which incidents to keep, and how to read them: plain values, every step optional.
    "Cleaning": "escalation.cleaning",
    # Incidents after cleaning, with what became of every one.
    "Cleaned": "escalation.cleaning",
    # Outlines of countries by name, from a GeoJSON file.
    "Outlines": "escalation.cleaning",
    # A rule by which records of two sources are compared: days, distance, actors, kind.
    "Matching": "escalation.merging",
    # Pairs of records that may tell of one incident, to review.
    "Matches": "escalation.merging",
    # Make one record of every accepted match of two sources.
    "merge": "escalation.merging",
    # Two sources as one, with where each record comes from.
    "Merged": "escalation.merging",
    # Which incidents count as "A acts on B".
    "Stream": "escalation.streams",
    # Whether who acted is at home elsewhere than where it happened, for each incident.
    "crosses_border": "escalation.streams",
    # Times of the incidents of K streams over one window.
    "EventSeries": "escalation.series",
    "PanelSeries": "escalation.series",
    # Write a template and a codebook for coding by hand.
    "write_coding_template": "escalation.coding",
    # Check a hand-coded file: every fault, and what is odd.
    "check_coding": "escalation.coding",
    # What a check of a hand-coded file found.
    "CodingCheck": "escalation.coding",
    # Set two codings of the same texts beside each other.
    "compare_codings": "escalation.coding",
    # How far two codings agree, column by column.
    "CodingComparison": "escalation.coding",
    # How far two coders agree beyond chance.
    "cohen_kappa": "escalation.agreement",
    # How far coders agree, with missing values and any level of measurement.
    "krippendorff_alpha": "escalation.agreement",
    # Incidents per period of K streams over one window.
    "CountSeries": "escalation.series",
    # Counts of files larger than memory, and what became of their rows.
    "Tally": "escalation.tally",
    # Counts per period from a table, such as `escalation count` writes.
    "read_counts": "escalation.series",
    "count_streams": "escalation.tally",
    # One parameter of a model, declared as data: shape, support, prior, meaning, unit.
    "Parameter": "escalation.parameters",
    # A delay density that decays at a constant rate.
    "Exponential": "escalation.kernels",
    # All of the effect in the next period: plain autoregression.
    "OneLag": "escalation.kernels",
    # Lag weights that fall by one factor a period.
    "GeometricLags": "escalation.kernels",
    # Lag weights with a peak at a later lag.
    "PoissonLags": "escalation.kernels",
    # A weight of its own for each lag.
    "FreeLags": "escalation.kernels",
    # A delay density made of several exponentials.
    "Mixture": "escalation.kernels",
    # A delay density that falls like a power of the delay.
    "Lomax": "escalation.kernels",
    # A delay density that rises or falls like a power, then exponentially.
    "Weibull": "escalation.kernels",
    # A delay density in steps, smoothed: no form assumed.
    "Histogram": "escalation.kernels",
    # What happens without earlier incidents: level, season and trend.
    "Background": "escalation.background",
    # Daily values of what may move the background.
    "Covariates": "escalation.background",
    # Dated shifts and spikes of the background.
    "Interventions": "escalation.background",
    # A process of exact times in which incidents set off further ones.
    "Hawkes": "escalation.hawkes",
    # How the size of an incident scales what it sets off.
    "Marks": "escalation.hawkes",
    # A pull of the arrows between streams towards zero.
    "Shrinkage": "escalation.hawkes",
    # A process whose incidents may also lower the rate: signed influence.
    "NonlinearHawkes": "escalation.hawkes",
    # The same idea for counts per period, Poisson or negative binomial.
    "EndemicEpidemic": "escalation.counts",
    # The predictor of one component of a count model.
    "Component": "escalation.counts",
    # Weights of other streams by how near they are.
    "Neighbours": "escalation.counts",
    "Panel": "escalation.counts",
    "UnitEstimates": "escalation.counts",
    # A level that moves on at random.
    "RandomWalk": "escalation.counts",
    # Levels of the streams around a common one.
    "RandomIntercepts": "escalation.counts",
    # Counts whose log-mean earlier counts may raise or lower: signed influence.
    "LogLinear": "escalation.counts",
    # Counts whose level moves on a path that nobody sees.
    "Latent": "escalation.counts",
    # A latent log-rate that returns to its level.
    "Autoregression": "escalation.counts",
    # A smooth latent log-rate.
    "GaussianProcess": "escalation.counts",
    # What a fit says of a latent path: its band over time.
    "LatentPath": "escalation.counts",
    # Counts whose mean is a sum over given earlier counts and means.
    "Ingarch": "escalation.counts",
    # Whether anything happens in a period, and how much when it does.
    "Hurdle": "escalation.counts",
    # Counts that switch between phases: quiet, tense, escalated.
    "Regimes": "escalation.counts",
    # Which phase it was when, how long phases last, and what comes next.
    "Phases": "escalation.counts",
    # The engine that maximises the likelihood and draws around the maximum.
    "MaximumLikelihood": "escalation.engines",
    # The engine that draws around the mode of the posterior.
    "Laplace": "escalation.engines",
    # The engine that samples the posterior.
    "NUTS": "escalation.engines",
    # The estimator that reads the overdispersion off the residuals.
    "QuasiLikelihood": "escalation.engines",
    # What a model learned from a series.
    "Fit": "escalation.fit",
    # Who is followed by whom: reproduction matrix, branching ratio, shares, responses.
    "Dynamics": "escalation.dynamics",
    # What one more incident is followed by, more or fewer, period by period.
    "Response": "escalation.counts",
    # A forecast as things are, and one with an incident more or fewer.
    "WhatIf": "escalation.counts",
    # Forecast with incidents added or taken away, on the same random numbers.
    "what_if": "escalation.counts",
    # Which stream raises or lowers which, and how sure that is.
    "Signs": "escalation.counts",
    # Dated predictive draws.
    "Forecast": "escalation.forecast",
    # Low, best and high figure of the deaths of single incidents.
    "DeathRecords": "escalation.severity",
    # Deaths per incident: a discrete log-normal law with a Pareto tail.
    "Severity": "escalation.severity",
    # What a law of deaths learned, and the deaths it foretells.
    "SeverityFit": "escalation.severity",
    # Counts by period of the event and delay of the report.
    "ReportingTriangle": "escalation.nowcast",
    # How many incidents of the last periods were not reported yet.
    "Nowcast": "escalation.nowcast",
    # Rates and delays that a nowcast learned, and the counts it gives.
    "NowcastFit": "escalation.nowcast",
    # Fit a model of counts to several draws of the completed series.
    "fit_over_nowcasts": "escalation.nowcast",
    # The baseline that draws from the whole past.
    "Climatology": "escalation.baselines",
    # Whether anything happens in a unit, and how much, as smooth functions of its past.
    "SmoothHurdle": "escalation.own_history",
    # What followed in all units when their past looked like this.
    "PooledAnalogues": "escalation.own_history",
    # A unit's own past again, recent periods weighing more, with some noise.
    "SmoothedResampling": "escalation.own_history",
    # Panel forecasts by three own-history models as one.
    "OwnHistoryPool": "escalation.own_history",
    # The baseline that carries the last level on.
    "Persistence": "escalation.baselines",
    # The baseline that resamples the last year.
    "Conflictology": "escalation.baselines",
    # The baseline with a season and no memory.
    "SeasonalGLM": "escalation.baselines",
    # The baseline that expects nothing.
    "Zero": "escalation.baselines",
    # The baseline that resamples the past, the later the likelier.
    "ExponentialResampling": "escalation.baselines",
    # The baseline that takes what followed the most similar stretches of the past.
    "Analogue": "escalation.baselines",
    # The baseline whose level follows the counts.
    "ExponentialSmoothing": "escalation.baselines",
    # A series as it was known on different days.
    "Vintages": "escalation.backtest",
    # Releases of one source by the first day that each did not know.
    "Releases": "escalation.vintages",
    # Tell what a later release of one source added, removed and revised.
    "compare_releases": "escalation.vintages",
    # What a later release of one source changed, by the ids of the incidents.
    "ReleaseChanges": "escalation.vintages",
    # Share of the incidents reported within so many periods, without a model of the delay.
    "reporting_delay": "escalation.vintages",
    # How long a backtest will still take, on standard error.
    "TimeLeft": "escalation.backtest",
    # Units ranked by the probability of escalation.
    "EarlyWarning": "escalation.early_warning",
    # What past warnings were worth.
    "WarningRecord": "escalation.early_warning",
    # Scores of past forecasts against what came.
    "Backtest": "escalation.backtest",
    # Forecast from one origin after another, and score what came.
    "run_backtest": "escalation.backtest",
    # Ask a fit whether its figures may be trusted.
    "check": "escalation.checks",
    # Compare a series with others simulated from its fit.
    "predictive_check": "escalation.checks",
    # What the priors say before any count is seen.
    "prior_predictive": "escalation.checks",
    # How far a posterior leans on its prior.
    "sensitivity": "escalation.checks",
    # How well each of several models foretells the next period.
    "compare": "escalation.checks",
    # R and forecast, had a share of the incidents gone unrecorded.
    "unrecorded": "escalation.checks",
    # Whether a model's posterior means what it says, by simulation.
    "calibrate": "escalation.checks",
    # Several models as one: a weighted pool of their forecasts.
    "Ensemble": "escalation.ensemble",
    # How an ensemble learns its weights from the past of a series.
    "Learning": "escalation.ensemble",
    # Forecasts of several members from one origin after another, and what came.
    "PastForecasts": "escalation.ensemble",
    # A rising map of probabilities, learned from past PITs.
    "Recalibration": "escalation.ensemble",
    # One forecast from several of the same periods and streams.
    "pool_forecasts": "escalation.ensemble",
    # Forecasts, each recalibrated by what was known when it was made.
    "recalibrated_over_time": "escalation.ensemble",
    # What the fitted rate leaves of the events, with tests.
    "residuals": "escalation.hawkes",
    # Whether a slow change of the background looks like excitation.
    "trend_test": "escalation.hawkes",
    # Whether more incidents share a day than the model allows.
    "same_day_test": "escalation.hawkes",
    # Whether one stream sets another one off at all.
    "excitation_test": "escalation.hawkes",
    # The branching ratio as one number, corrected for its bias near a bound.
    "branching_estimate": "escalation.hawkes",
    # An interval from the profile of the likelihood.
    "profile_interval": "escalation.hawkes",
    # Who set off whom: the probability of each parent.
    "cascade": "escalation.hawkes",
    # R of each era, and what changed between them.
    "era_table": "escalation.hawkes",
    # Fit again and again with the days that are not known drawn anew.
    "fit_over_dates": "escalation.redating",
    # How far a trend of the background may bend, chosen by the evidence of the data.
    "choose_trend": "escalation.trend_choice",
    # One study file: data, window, streams, model, forecast, report.
    "Study": "escalation.study",
    # What a study found, saved and loaded.
    "Results": "escalation.results",
    # Run a study, from incidents to results.
    "run_study": "escalation.run:run",
    # Draw the results of a study as a PDF.
    "write_report": "escalation.report",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    """Import a public noun when it is first asked for (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    value: object = getattr(import_module(module), attribute or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
