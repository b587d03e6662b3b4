"""Method: how to repeat it, what the words mean, and what the report cannot say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from escalation.engines import MaximumLikelihood
from escalation.report.sections.base import Block, Note, Section, Table, Text
from escalation.report.wording import joined, last_day, short_day, some

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.results import Results
    from escalation.streams import Stream
    from escalation.study import Study

WORDS = {
    "endemic-epidemic": (
        "The expected incidents of each stream are a background, with a level and a season, plus a "
        "part that follows earlier incidents of every stream. R is the reproduction matrix, w the "
        "share of its effect that comes l periods later, e the part of the period that was "
        "watched."
    ),
    "hawkes": (
        "The rate of each stream is a background plus a part that follows earlier incidents of "
        "every stream. R is the reproduction matrix, g the density of the delay."
    ),
}
DEFINITIONS = (
    ("Stream", "Incidents that count as one actor acting on another, or as fighting between two."),
    (
        "Reproduction matrix",
        "Expected further incidents of one stream that directly follow one incident of another.",
    ),
    (
        "Branching ratio",
        "The largest eigenvalue of that matrix: below 1 a burst dies down, at 1 or above it grows.",
    ),
    (
        "Background",
        "What the model expects without any earlier incident; a share by immediate cause is a "
        "term's part of the expected incidents over the window.",
    ),
    (
        "Interval",
        "Holds the stated share of the draws; in a forecast it covers chance and the uncertainty "
        "of the parameters.",
    ),
    (
        "Relative skill",
        "How much smaller the model's mean CRPS is than a baseline's; the CRPS is the mean "
        "distance between forecast and outcome, in incidents.",
    ),
)
LIMITS = (
    (
        "Recording",
        "Incidents reach the table through reports. Places and years with fewer reporters look "
        "quieter, and a burst of attention looks like a burst of violence.",
    ),
    (
        "Unrecorded",
        "Incidents that nobody recorded are missing from counts and from the past that others "
        "seem to follow.",
    ),
    (
        "Cause",
        "That one stream is followed by more of another does not prove that it is its cause: "
        "something unseen may drive both.",
    ),
    (
        "Who struck first",
        "The model says nothing of who began, nor of right and wrong. Where a stream is fighting "
        "between two sides, the data do not tell who attacked.",
    ),
)


class Method(Section):
    """The model, its priors, the study as run, definitions, limits, licence."""

    title: ClassVar[str] = "Method"
    place: ClassVar[int] = 10

    def blocks(self, results: Results) -> list[Block]:
        """Model, priors, streams, run, definitions, limits."""
        return [
            *model(results),
            priors(results),
            streams(results),
            run(results),
            Text(DEFINITIONS, heading="Definitions"),
            Text(LIMITS, heading="Limits"),
        ]


def model(results: Results) -> list[Block]:
    """The model in words and one equation, with this study's choices."""
    family, chosen = results.fit.model.name, results.study.specification
    season = (
        f"{harmonics(chosen.harmonics)} of a season of {chosen.season_length:g} days"
        if chosen.harmonics
        else "no season"
    )
    choices = (
        f"Here: {chosen.distribution} counts a {chosen.period}, dispersion by "
        f"{'stream' if chosen.dispersion == 'stream' else 'all streams together'}, "
        f"{chosen.kernel} delay over {chosen.lags} {chosen.period}s, {season}, fitted by "
        f"{results.fit.engine}; past forecasts are {refitted(results.study)}, other "
        "backgrounds by maximum likelihood, the trend with the stiffness of the highest evidence."
    )
    if chosen.no_arrows:
        ruled = joined([f"{source} → {target}" for source, target in chosen.no_arrows])
        choices += f" Ruled out: {ruled}."
    more = (*nowcast_words(results), *severity_words(results))
    return [Text.of(WORDS.get(family, "")), Note("equation", family), Text.of(choices, *more)]


def nowcast_words(results: Results) -> tuple[str, ...]:
    """How the last periods are completed, in a paragraph; none unless the study asks for it."""
    found, section = results.nowcast, results.study.nowcast
    if found is None or section is None:
        return ()
    changing = "which may change slowly" if section.pace else "the same throughout"
    use = (
        f"The model is fitted to {section.fits} completed series and the draws are pooled."
        if section.complete
        else "The model is fitted to the counts as reported."
    )
    return (
        f"Late reports: a negative binomial number of incidents a {found.fit.triangle.period}, its "
        f"rate a random walk, split by delays of reporting, {changing}; what is not reported yet "
        f"is drawn. By {found.fit.engine}. {use}",
    )


def severity_words(results: Results) -> tuple[str, ...]:
    """The law of deaths, in a paragraph; none unless the study asks for it."""
    found, section = results.severity, results.study.severity
    if found is None or section is None:
        return ()
    figures = (
        "a record counts as somewhere from its low to its high figure"
        if section.deaths == "interval"
        else f"the {section.deaths} figures are taken as they stand"
    )
    tail = (
        f", beyond {found.fit.threshold:.0f} deaths with a generalised Pareto tail "
        f"({'one for all streams' if section.tails == 'shared' else 'of each stream'})"
        if section.tail == "pareto"
        else ""
    )
    return (
        f"Deaths: an incident has none, or a log-normal number rounded up{tail}; {figures}. "
        f"Learned by {found.fit.engine}. Each path of the forecast takes one draw of the law, and "
        "each of its incidents deaths of its own.",
    )


def harmonics(orders: int | tuple[int, ...]) -> str:
    """The harmonics in words: one number, or one a stream."""
    if isinstance(orders, int):
        return some(orders, "harmonic")
    return f"{', '.join(map(str, orders))} harmonics (by stream)"


def refitted(study: Study) -> str:
    """How the model is fitted again where that happens often."""
    engine = study.quick_engine().name
    return "refitted by " + ("Laplace’s approximation" if engine == "Laplace" else engine)


def priors(results: Results) -> Table:
    """Every parameter with its meaning, prior and unit."""
    used = results.fit.engine != MaximumLikelihood.name
    return Table(
        caption="Parameters and priors"
        + ("." if used else "; maximum likelihood does not use the priors."),
        header=("Parameter", "Meaning", "Prior", "Unit"),
        rows=tuple(
            (part + p.name.replace("_", " "), p.meaning, str(p.prior), p.unit or "–")
            for part, fit in _fits(results).items()
            for p in fit.parameters
        ),
        widths=(0, 1.2, 1, 0.7),
        align="llll",
    )


def _fits(results: Results) -> dict[str, Fit]:
    """Each fit of the study, by what its parameters are called in front of their names."""
    found = {"": results.fit}
    if results.nowcast is not None:
        found["reports: "] = results.nowcast.fit
    if results.severity is not None:
        found["deaths: "] = results.severity.fit
    return found


def streams(results: Results) -> Table:
    """The streams as selected."""
    return Table(
        caption="Streams as selected.",
        header=("Stream", "Who", "Other conditions", "Across the border"),
        rows=tuple(
            (s.name, s.label, conditions(s), _across(results, s)) for s in results.study.streams
        ),
        widths=(1, 1.2, 1.1, 0),
        align="llll",
        source="“Between”: the data do not tell who attacked. Across the border: who acted is at "
        "home elsewhere than where it happened, as far as home and place are known.",
    )


def conditions(stream: Stream) -> str:
    """The filters of a stream other than its actors."""
    named = {
        "dyad": stream.dyad,
        "class": stream.classes,
        "code": stream.codes,
        "in": stream.countries,
        "certainty": stream.certainty,
    }
    return (
        "; ".join(f"{key} {' or '.join(values)}" for key, values in named.items() if values) or "–"
    )


def _across(results: Results, stream: Stream) -> str:
    """How many of a stream's incidents cross a border, or whether it does by its definition."""
    actors = results.study.actors
    _, count, across, _, unknown = stream.crossings(results.incidents, actors).row(0)
    if count > unknown:
        return f"{across:,} of {count - unknown:,}"
    return {True: "yes", False: "no", None: "not known"}[stream.crosses_border(actors)]


def run(results: Results) -> Text:
    """How the run can be repeated."""
    info, series = results.run, results.series
    versions = ", ".join(f"{name} {number}" for name, number in info.versions.items())
    return Text(
        (
            (
                "Window",
                f"{short_day(series.window.start)} to {short_day(last_day(series.window.end))}, "
                f"{some(len(series), series.period)}.",
            ),
            ("Command", info.command),
            ("Seed", f"{info.seed}"),
            ("Data", f"{results.incidents.provenance.file}, SHA-256 {info.data_hash}"),
            *((name, f"SHA-256 {sum_}") for name, sum_ in info.files.items()),
            ("Study", f"SHA-256 {info.study_hash}"),
            ("Versions", f"escalation {info.version}, {versions}"),
        ),
        heading="To repeat it",
    )
