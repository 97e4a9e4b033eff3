# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny generator with random weights, and its files."""

import json
from dataclasses import asdict

import pytest

torch = pytest.importorskip("torch")
from models.generation.control import Control, ControlConfig  # noqa: E402
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.pipeline import EmbeddedGenerator  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.weights_io import save_weights  # noqa: E402

VAE = VaeConfig(encoder_width=8, encoder_blocks=1, width=8, blocks=1, fine_width=4, fine_blocks=1)
FLOW = FlowConfig(width=16, heads=2, blocks=3, expansion=2)


def shaken(module):
    """Random weights everywhere, also where training starts from zero."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return module.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def tiny():
    torch.manual_seed(0)
    control = shaken(Control(ControlConfig.of(FLOW, 2)))
    return EmbeddedGenerator(shaken(Vae(VAE)), shaken(Flow(FLOW)), control, sides=(64, 128))


@pytest.fixture(scope="session")
def tiny_files(tiny, tmp_path_factory):
    """A folder of weights and cards."""
    folder = tmp_path_factory.mktemp("weights")
    for name, module in (("vae", tiny.vae), ("flow", tiny.flow), ("control", tiny.control)):
        sha256 = save_weights(folder / f"{name}-v1.safetensors", module.state_dict(), torch.float32)
        kind = type(module)
        card = {
            "sha256": sha256,
            "config": asdict(module.config),
            "architecture": f"{kind.__module__}.{kind.__name__}",
        }
        (folder / f"{name}-v1.json").write_text(json.dumps(card), encoding="utf-8")
    return folder
