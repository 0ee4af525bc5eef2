"""Uids drawn from a seed are UUIDs of version 4, spelled as Python spells them."""

import random
import uuid

from objects.names import random_uid


def test_a_drawn_uid_is_the_uuid_of_its_seed():
    for seed in range(200):
        bits = random.Random(seed).getrandbits(128)
        assert random_uid(random.Random(seed)) == str(uuid.UUID(int=bits, version=4))
