# SPDX-License-Identifier: GPL-3.0-or-later
"""The model service: a ROUTER that encodes, decodes and measures for any client.

    client DEALER ──► ROUTER (main thread: answers ping, refuses, queues)
                         │ bounded queue
                      worker thread (torch lives here: encode, decode, quality)

Requests and replies are listed in :mod:`host.service.handlers`.
"""
