"""A day of traffic in UXsim, Newell's kinematic wave with queues that spill back, as link times minute by minute.

Vehicle logs are off, since their memory grows without bound. A run has its own generators, seeded from a named
stream. The link times that come out let late cars overtake early ones here and there; ``no_overtaking`` repairs it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from uxsim import World

from torchstone.core.rng import library_seed
from torchstone.core.schema import Traffic
from torchstone.studies.navigation.city import Floats, Network
from torchstone.studies.navigation.demand import Incidents, Trips, incidents_of, trips_of

MINUTE = 60.0
TAIL = 30  # minutes simulated beyond the day, so that cars that enter a link late also leave it
JAM = 0.2  # cars a metre and lane


def _world(network: Network, settings: Traffic, seed: int) -> World:
    world = World(
        cpp=True, deltan=settings.platoon, tmax=(settings.minutes + TAIL) * MINUTE, random_seed=seed, print_mode=0,
        save_mode=0, show_mode=0, show_progress=0, vehicle_logging_timestep_interval=-1,
        duo_update_time=settings.habit * MINUTE, meta_data={},
    )  # fmt: skip
    for junction, (x, y) in enumerate(network.places.tolist()):
        world.addNode(str(junction), x, y)
    columns = (network.tails, network.heads, network.lengths, network.speeds, network.capacities)
    for link, (tail, head, length, speed, capacity) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        world.addLink(
            f"link{link}", str(tail), str(head), length, free_flow_speed=speed, jam_density=JAM, capacity_out=capacity
        )
    return world


def drive(
    network: Network,
    settings: Traffic,
    trips: Trips,
    incidents: Incidents,
    seed: int,
    routes: Sequence[Sequence[int] | None] | None = None,
) -> Floats:
    """Simulate a day and return the seconds that a car needs which enters at each minute, [link, minute].

    A trip whose ``routes`` entry is a list of links follows it; the others choose by the present state, as UXsim's
    drivers do (dynamic user optimum, updated now and then).
    """
    world = _world(network, settings, seed)
    columns = (trips.origins, trips.destinations, trips.departures)
    for number, (origin, destination, departure) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
        vehicle = world.addVehicle(str(origin), str(destination), departure)
        route = routes[number] if routes is not None else None
        if route is not None:
            vehicle.enforce_route([f"link{link}" for link in route])
    world.finalize_scenario()
    events = [
        (begin, link, share)
        for begin, link, share in zip(incidents.begins, incidents.links, incidents.share, strict=True)
    ]
    events += [(end, link, 1.0) for end, link in zip(incidents.ends, incidents.links, strict=True)]
    for time, link, share in sorted(events):
        if time < (settings.minutes + TAIL) * MINUTE:
            if time // world.DELTAT > world.T:  # two events may fall into one step
                world.exec_simulation(until_t=float(time))
            world.get_link(f"link{link}").capacity_out = float(network.capacities[link] * share)
    world.exec_simulation()
    steps = (np.arange(settings.minutes) * MINUTE / world.DELTAT).astype(int)
    seconds = np.stack([np.asarray(link.traveltime_actual)[steps] for link in world.LINKS])
    return np.asarray(np.round(np.maximum(seconds, network.free[:, None]), 2))


def no_overtaking(seconds: Floats) -> Floats:
    """Repair link times [..., minute] so that who enters later leaves no earlier (FIFO): a running maximum of arrivals.

    Without it the fastest path in time is not what Dijkstra's algorithm finds. Between minutes times are linear.
    """
    enters = np.arange(seconds.shape[-1]) * MINUTE
    return np.asarray(np.maximum.accumulate(enters + seconds, axis=-1) - enters)


def overtakings(seconds: Floats) -> float:
    """Return the share of link-minutes in which a car would leave before one that entered a minute earlier."""
    enters = np.arange(seconds.shape[-1]) * MINUTE
    return float((np.diff(enters + seconds, axis=-1) < 0).mean())


def simulated_day(network: Network, settings: Traffic, seed: int, replicate: int, day: int) -> Floats:
    """Draw and simulate one day as it is, before the repair, [link, minute]."""
    trips = trips_of(network, settings, seed, replicate, day)
    incidents = incidents_of(network, settings, seed, replicate, day)
    return drive(network, settings, trips, incidents, library_seed(seed, "traffic", "world", replicate, day))
