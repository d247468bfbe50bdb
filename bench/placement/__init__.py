"""`python -m bench.placement`: the real openstack-placement and ours on the same machine, asked the same, compared, measured.

`clouds.py` describes providers; `peer.py` loads and serves them with openstack-placement, in the judges' environment;
`ours.py` loads them into ours; `sides.py` starts, asks and reads the CPU of both; `comparing.py` compares replies.
"""
