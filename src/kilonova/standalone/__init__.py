"""Small built-in identity, image and network services, so that one program is a whole cloud.

May import `web`, `clients`, `database` and below. Each owns a database of its own and implements a Protocol of
`clients`.
"""
