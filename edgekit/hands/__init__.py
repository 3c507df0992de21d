"""Hand landmarks from pictures by ONNX Runtime alone: MediaPipe's two networks, made once, and a tracker around them"""

from edgekit.hands.films import Film, find_films
from edgekit.hands.networks import (
    NETWORKS,
    TRACKER,
    find_network,
    make_networks,
    networks_folder,
    state_of,
    tracker_state,
)
from edgekit.hands.picture import Picture
from edgekit.hands.pictures import Pictures, camera_number, open_pictures
from edgekit.hands.takes import HandTake, track_take
from edgekit.hands.tracker import Hand, HandTracker

__all__ = [
    "NETWORKS",
    "TRACKER",
    "Film",
    "Hand",
    "HandTake",
    "HandTracker",
    "Picture",
    "Pictures",
    "camera_number",
    "find_films",
    "find_network",
    "make_networks",
    "networks_folder",
    "open_pictures",
    "state_of",
    "track_take",
    "tracker_state",
]
