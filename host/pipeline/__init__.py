# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole jobs: encode, carry over the radios, decode, measure.

demo.py      host service + receiving radio + sending radio, one picture through all
send.py      host service + sending radio
receive.py   receiving radio + host service, any number of pictures
"""
