"""Hand landmarks from pictures by ONNX Runtime alone: MediaPipe's two networks, made once, and a tracker around them"""

from edgekit.hands.networks import NETWORKS, find_network, make_networks, networks_folder, state_of
from edgekit.hands.picture import Picture
from edgekit.hands.pictures import Pictures, open_pictures
from edgekit.hands.tracker import Hand, HandTracker

__all__ = [
    "NETWORKS",
    "Hand",
    "HandTracker",
    "Picture",
    "Pictures",
    "find_network",
    "make_networks",
    "networks_folder",
    "open_pictures",
    "state_of",
]
