"""The demo: a virtual machine of one's own in a cloud of one's own, by the real `openstack` client.

`make demo` runs it. `__main__.py` prepares and ends; `story.py` is what the person sees, from top to bottom; `proof.py` holds
the guest's own words against what the cloud says.
"""
