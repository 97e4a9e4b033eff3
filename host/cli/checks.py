# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a whole run that belong to a command rather than to a value."""

from __future__ import annotations

from host.config import RunConfig
from host.config.models import RADIO_KINDS, RADIO_SIM
from host.pipeline.virtual_air import check_channel
from host.supervise import radio_python
from models.tiers import RECEIVERS
from semcom_blocks.errors import ConfigError
from semcom_blocks.transport import check_endpoint


def check_run(
    run: RunConfig, *, demo: bool = False, host: str | None = None, radios: bool = True
) -> RunConfig:
    """Return ``run`` if this command can carry it out here; ``radios``: it starts them itself.

    ``demo``: it drives both ends.
    """
    if demo:
        _check_both(run)
    elif run.radio.wants_air:
        kind = run.radio.spec
        argument = {"pluto": "URI", "usrp": "ARGS"}[kind]
        raise ConfigError(f"radio {kind!a} names no device, permitted: {kind}:{argument}")
    if run.generation.enabled:
        _check_generation(run)
    if run.allocation.adapt:
        _check_adapt(run)
    if run.radio.cyclic:
        _check_cyclic(run)
    if host is not None:
        check_endpoint(host)
    if radios:
        radio_python()
    elif run.recording.path is not None:
        raise ConfigError("--record is given with --attach, permitted: a flowgraph's own recorder")
    return run


def _check_generation(run: RunConfig) -> None:
    """Streams that no generator, or not this one, draws from together."""
    wanted, generator = run.generation, run.models.generator
    if wanted.coarse and wanted.latents:
        raise ConfigError("generation.coarse with generation.latents, permitted: one of them")
    if generator in RECEIVERS and (wanted.edges or wanted.coarse):
        name = "edges" if wanted.edges else "coarse"
        raise ConfigError(f"generation.{name} with generator {generator!a}, permitted: latents")


def _check_adapt(run: RunConfig) -> None:
    """What is planned are bits; analog symbols have no modulation to choose."""
    wanted = run.generation
    if not wanted.enabled or wanted.coarse or wanted.latents:
        raise ConfigError("allocation.adapt without, or beside more than, a prompt and its edges, "
                          "permitted: --streams prompt,edges or prompt")  # fmt: skip
    if run.link.feedback == "none":
        raise ConfigError("allocation.adapt with link.feedback 'none', permitted: zmq, air")


def _check_cyclic(run: RunConfig) -> None:
    """A repeated job is the same every time: it cannot answer acknowledgements."""
    if not run.radio.is_hardware:
        raise ConfigError(f"cyclic with radio {run.radio.spec!a}, permitted: pluto:URI, usrp:ARGS")
    if run.link.feedback != "none":
        raise ConfigError(f"link.feedback {run.link.feedback!a} with cyclic, permitted: none")


def _check_both(run: RunConfig) -> None:
    """Two simulated radios, two virtual ones, or two named devices."""
    radio = run.radio
    permitted = f"{RADIO_SIM}, pluto, usrp, or pluto:URI and usrp:ARGS with --rx-radio"
    if not radio.is_sim and not radio.is_hardware:
        raise ConfigError(f"radio {radio.spec!a} is no radio for demo, permitted: {permitted}")
    if radio.wants_air:
        check_channel(run)
    if radio.rx_spec is None:
        return
    if radio.is_sim or radio.wants_air:
        raise ConfigError(
            f"rx_spec {radio.rx_spec!a} is refused, permitted: none beside radio {radio.spec!a}"
        )
    if radio.rx_spec.partition(":")[0] not in RADIO_KINDS or radio.rx_spec in RADIO_KINDS:
        raise ConfigError(
            f"rx_spec {radio.rx_spec!a} is no radio for demo, permitted: pluto:URI, usrp:ARGS"
        )
