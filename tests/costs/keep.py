"""make readme: keeps the latest whole runs in the repository, from where the READMEs have their figures."""

from tests.costs.command import COSTS, DATA, PEER_COSTS, RESULTS
from tests.costs.peers.records import PeerCosts
from tests.costs.records import Costs


def main() -> None:
    """Keep what is newer than what is kept."""
    if latest := Costs.latest([DATA / RESULTS, COSTS]):
        latest.write(COSTS)
    if latest_peers := PeerCosts.latest([DATA / "peers" / RESULTS, PEER_COSTS]):
        latest_peers.write(PEER_COSTS)


if __name__ == "__main__":
    main()
