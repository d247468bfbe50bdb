"""The figures that the project promises, each printed with the floor of the same run. Never a test.

`python -m bench [NAME...]` measures all, or those named. CPU is the cloud's own, read from the kernel, not the client's.
"""
