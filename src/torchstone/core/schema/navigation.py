"""Car navigation: the sections network, traffic, probes, match, forecast, week, eta, route and feedback."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from torchstone.core.schema.section import Count, Positive, Section, Share


class City(Section):
    """A generated city, a stage network@KEY and all that follow from it."""

    replicates: int = Field(ge=2, description="cities, each with its own roads, demand and incidents")
    rows: int = Field(ge=4, description="junctions from south to north; the river runs through the middle")
    columns: int = Field(ge=4, description="junctions from west to east")
    spacing: Positive = Field(description="metres between neighbouring junctions")
    bridges: Count = Field(description="beside the two of the ring road")
    street_speed: Positive = Field(description="free speed in m/s")
    ring_speed: Positive = Field(description="free speed in m/s")
    street_capacity: Positive = Field(description="cars an hour that may leave a street")
    ring_capacity: Positive = Field(description="cars an hour that may leave a link of the ring road")


class Traffic(Section):
    """Car navigation: the simulated weeks."""

    days: int = Field(ge=7, description="simulated mornings, the first a Monday")
    minutes: int = Field(ge=120, description="of a morning, from 6:00")
    cars: Count = Field(description="on a mean working day")
    platoon: Count = Field(description="cars that the simulator moves as one")
    weekend: Share = Field(description="of a working day's cars")
    spread: Positive = Field(description="sd of the logarithm of the cars of a day; twice as much for each junction")
    incidents: Positive = Field(description="a morning, on average; each takes most of a link's capacity")
    habit: Positive = Field(description="minutes between a driver's looks at the traffic")


class Probes(Section):
    """Car navigation: the cars that report where they are."""

    shares: list[Share] = Field(min_length=1, description="of all cars, rising; the largest is simulated")
    main: Share = Field(description="the share that all but the comparison of shares uses")
    interval: Positive = Field(description="seconds between two positions")
    sigma: Positive = Field(description="metres of error on each axis")
    memory: float = Field(ge=0.0, description="seconds over which an error fades")
    window: Count = Field(description="minutes between a driver's looks at the link times")
    tastes: Count = Field(description="kinds of driver, each with errors of its own about the link times")
    whim: Positive = Field(description="sd of the logarithm of these errors")


class Match(Section):
    """Car navigation: positions to roads, among streets that lie close together."""

    block: Positive = Field(description="metres between the streets of the town where positions are compared")
    size: int = Field(ge=4, description="streets each way")
    journeys: Count = Field(description="trips across it, of each replicate")
    radii: list[Positive] = Field(min_length=2, description="metres within which 95 % of the positions err")
    intervals: list[Positive] = Field(min_length=1, description="seconds between positions")


class Forecast(Section):
    """Car navigation: who forecasts, and how hard they try; the real week has the same."""

    horizons: list[Count] = Field(min_length=2, description="minutes ahead, multiples of five, rising")
    train: Count = Field(description="days that forecasters learn from, the first")
    valid: Count = Field(description="days after these, for arrival times to learn from; the rest is the test")
    congested: Share = Field(description="of the free speed, below which a link is congested")
    rows: Count = Field(description="drawn for learners, at most; all get the same")
    leaf: Count = Field(description="rows that a leaf holds at least")
    trees: Count = Field(description="in a bag")
    rounds: Count = Field(description="of gradient boosting")
    rate: Positive = Field(description="learning rate of gradient boosting")
    hidden: Count = Field(description="units of a layer of the networks")
    embedding: Count = Field(description="numbers by which a network knows a link, and a time of day")
    steps: Count = Field(description="updates of the networks")
    batch: Count = Field(description="rows of an update: a row is a link at one moment, and networks take whole cities")
    learning_rate: Positive = Field(description="Adam's rate for the networks")


class Network(Section):
    """Car navigation: the cities."""

    cities: dict[str, City] = Field(description="one row a city: the stages network@KEY to feedback@KEY")


class Eta(Section):
    """Car navigation: when shall we arrive?"""

    trips: Count = Field(description="a day")
    levels: list[Share] = Field(min_length=3, description="shares of arrivals that should come before the told time")
    rounds: Count = Field(description="of gradient boosting, for each level")
    rate: Positive = Field(description="its learning rate")
    calibrate: Count = Field(description="validation days, evenly spread, which set the width of the interval")


class Route(Section):
    """Car navigation: which way?"""

    queries: Count = Field(description="on each test day")
    blocks: Positive = Field(description="blocks that a query's ends are apart, at least")
    checked: Count = Field(description="queries that the time-expanded graph answers too")
    large: Count = Field(description="junctions each way of the large network for A* and Dijkstra's algorithm")
    landmarks: Count = Field(description="of A*, far from each other")


class Feedback(Section):
    """Car navigation: what if many follow the forecast?"""

    followers: list[Annotated[float, Field(gt=0.0, le=1.0)]] = Field(min_length=2, description="shares of all drivers")
    days: Count = Field(description="test days that are simulated anew, the first")
    queries: Count = Field(description="on each of them")


class RealWeek(Section):
    """A published week of detectors, a stage week@KEY."""

    source: Literal["recorded", "stand-in", "measured"] = Field(
        description="recorded: trials in records/, of a run with these params; stand-in: of any; measured: run anew"
    )
    replicates: Count = Field(description="networks, whose scores are averaged")
    blocks: int = Field(ge=2, description="of test time, the replicates of the claims")
    steps: Count = Field(description="updates of the networks")
    rounds: Count = Field(description="of gradient boosting")
    rows: Count = Field(description="drawn for learners, at most; all get the same")


class Week(Section):
    """Car navigation: real weeks."""

    sets: dict[str, RealWeek] = Field(description="one row a published week")


def check_navigation(probes: Probes, forecast: Forecast, traffic: Traffic, eta: Eta, feedback: Feedback) -> None:
    """Refuse shares, horizons and days that do not fit together."""
    if probes.main not in probes.shares:
        raise ValueError(f"probes.main = {probes.main}: not among probes.shares {probes.shares}")
    test = traffic.days - forecast.train - forecast.valid
    if test < feedback.days:
        raise ValueError(f"forecast.train + forecast.valid leave {test} of {traffic.days} days to test on")
    if eta.calibrate >= forecast.valid:
        raise ValueError(
            f"eta.calibrate = {eta.calibrate}: leave some of the {forecast.valid} validation days to learn from"
        )
    wrong = [horizon for horizon in forecast.horizons if horizon % 5]
    if wrong:
        raise ValueError(f"forecast.horizons: {wrong[0]} is no multiple of five minutes")
