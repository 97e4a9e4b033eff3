# SPDX-License-Identifier: GPL-3.0-or-later
"""The family of receivers: what arrived exactly stays, lost parts are drawn, flows invert."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from models.generation.flow import Flow, FlowConfig  # noqa: E402
from models.generation.text import batch_tokens  # noqa: E402
from models.generation.vae import Vae, VaeConfig  # noqa: E402
from models.receivers.adversarial import AdversarialConfig, AdversarialReceiver  # noqa: E402
from models.receivers.coupling import CouplingConfig, CouplingReceiver  # noqa: E402
from models.receivers.diffusion import DiffusionReceiver, corrected  # noqa: E402
from models.receivers.gaussian import GaussianConfig, GaussianReceiver  # noqa: E402
from models.receivers.loading import KINDS, TRAINED, ReceiverGenerator, load_receiver  # noqa: E402
from models.receivers.received import (  # noqa: E402
    LatentReceiver,
    PlainReceiver,
    Received,
    transmit,
)
from models.receivers.trunk import TrunkConfig  # noqa: E402
from models.roles import Generator, Request  # noqa: E402
from semcom_blocks.errors import ConfigError, ModelError  # noqa: E402

TEXT = "a large red circle at the top left on a grey background"
TRUNK = TrunkConfig(width=12, blocks=1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def make(kind):
    torch.manual_seed(1)
    network = {
        "plain": PlainReceiver,
        "vae": lambda: GaussianReceiver(GaussianConfig(TRUNK)),
        "nflow": lambda: CouplingReceiver(CouplingConfig(TRUNK, couplings=3, width=8)),
        "gan": lambda: AdversarialReceiver(AdversarialConfig(TRUNK, noise=2)),
        "diffusion": lambda: DiffusionReceiver(Flow(FlowConfig(width=8, heads=1, blocks=2)), 3),
    }[kind]()
    module = getattr(network, "flow", network)
    if isinstance(module, torch.nn.Module):
        with torch.no_grad():  # also where training starts from zero
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape))
        module.eval().requires_grad_(False)
    return network


@pytest.fixture(scope="module")
def family():
    return {kind: make(kind) for kind in ("plain", *KINDS)}


LATENTS = torch.randn(2, 4, 16, 16, generator=seeded(3))


def sent(lost=0.5, snr_db=60.0, seed=5, text=("", ""), latents=LATENTS):
    return transmit(latents, lost, snr_db, seeded(seed), text=batch_tokens(list(text)))


def exactly(received):
    """The same without noise on what arrived."""
    lost = torch.isinf(received.noise_var)
    return Received(
        LATENTS.masked_fill(lost, 0), torch.zeros_like(LATENTS).masked_fill(lost, torch.inf),
        received.text,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["plain", *KINDS])
def test_what_arrived_without_noise_stays(family, kind):
    received = exactly(sent())
    kept = received.noise_var == 0
    restored = family[kind].restore(received, 1)
    assert torch.isfinite(restored).all()
    assert torch.allclose(restored[kept], LATENTS[kept], atol=1e-5)
    whole = family[kind].restore(Received(LATENTS, torch.zeros_like(LATENTS), received.text))
    assert torch.allclose(whole, LATENTS, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_lost_depends_on_the_rest_the_caption_and_the_seed(family, kind):
    receiver = family[kind]
    assert isinstance(receiver, LatentReceiver)
    received = sent(0.5, 10.0)
    lost = torch.isinf(received.noise_var)
    first = receiver.restore(received, 1)
    assert torch.equal(first, receiver.restore(received, 1))
    told = receiver.restore(sent(0.5, 10.0, text=(TEXT, TEXT)), 1)
    assert (told - first)[lost].abs().max() > 1e-3
    other = receiver.restore(sent(0.5, 10.0, latents=LATENTS.flip(0)), 1)
    assert (other - first)[lost].abs().max() > 1e-4
    if kind == "vae":
        assert torch.equal(first, receiver.restore(received, 2))  # the posterior's mean
        first = receiver.restore(received, 1, temperature=1.0)
        again = receiver.restore(received, 2, temperature=1.0)
    else:
        again = receiver.restore(received, 2)
    assert (again - first)[lost].abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_at_all_is_enough_and_sizes_are_free(family, kind):
    nothing = transmit(torch.randn(1, 4, 32, 32), 1.0, 0.0, seeded())
    assert float(nothing.known.max()) == 0
    restored = family[kind].restore(nothing, 1)
    assert restored.shape == (1, 4, 32, 32)
    assert torch.isfinite(restored).all()


def test_plain_estimate_is_the_gaussian_posterior():
    latents = torch.randn(64, 4, 16, 16, generator=seeded())
    received = transmit(latents, 0.0, 3.0, seeded(1))
    error = (PlainReceiver().restore(received) - latents).square().mean()
    s = 10**-0.3
    assert float(error) == pytest.approx(s / (1 + s), rel=0.02)
    assert float(received.unknown(latents).std()) == pytest.approx(1.0, abs=0.02)


def test_unknown_and_complete_are_inverse():
    received = sent(0.3, 5.0)
    assert torch.allclose(received.complete(received.unknown(LATENTS)), LATENTS, atol=1e-5)


@pytest.mark.parametrize(("share", "packet"), [(0.0, 8), (0.1, 8), (0.5, 1), (0.75, 32), (1.0, 7)])
def test_as_many_packets_are_lost_as_asked_for(share, packet):
    received = transmit(LATENTS, share, 10.0, seeded(), packet)
    lost = torch.isinf(received.noise_var)
    assert (lost == lost[:, :1]).all()  # channels of a place share their fate
    count = -(-256 // packet)
    padded = torch.zeros(2, count * packet, dtype=torch.bool)
    padded[:, :256] = lost[:, 0].flatten(1)
    whole = padded.view(2, count, packet)[:, :, 0].sum(1)
    assert whole.tolist() == [round(share * count)] * 2
    assert (received.latents[lost] == 0).all()


def test_a_flow_inverts_and_knows_its_volume():
    flow = make("nflow")
    received = sent(0.5, 10.0)
    unknown = torch.randn(LATENTS.shape, generator=seeded(2))
    u, _ = flow.inward(received, unknown)
    assert torch.allclose(flow.outward(received, u), unknown, atol=1e-3)
    tiny = transmit(torch.randn(1, 4, 2, 2, generator=seeded()), 0.0, 5.0, seeded())
    x = torch.randn(16, generator=seeded(1))

    def inward(values):
        return flow.inward(tiny, values.view(1, 4, 2, 2))[0].flatten()

    jacobian = torch.autograd.functional.jacobian(inward, x)
    expected = torch.linalg.slogdet(jacobian).logabsdet
    assert float(flow.inward(tiny, x.view(1, 4, 2, 2))[1]) == pytest.approx(
        float(expected), abs=1e-3
    )


def test_likelihood_of_a_fresh_network_is_the_priors():
    """n has unit variance: 1/2 in the units of the losses, for both likelihoods."""
    latents = torch.randn(64, 4, 16, 16, generator=seeded())
    received = transmit(latents, 0.5, 10.0, seeded(1))
    for network in (
        GaussianReceiver(GaussianConfig(TRUNK)),
        CouplingReceiver(CouplingConfig(TRUNK, couplings=2, width=8)),
    ):
        assert float(network.loss(received, latents).detach()) == pytest.approx(0.5, abs=0.02)


def test_a_fitted_gaussian_has_a_better_likelihood_than_the_prior():
    torch.manual_seed(0)
    network = GaussianReceiver(GaussianConfig(TRUNK))
    flat = torch.randn(16, 4, 1, 1, generator=seeded()).expand(16, 4, 16, 16).contiguous()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    for step in range(60):
        loss = network.loss(transmit(flat, 0.5, 10.0, seeded(step)), flat)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    received = transmit(flat, 0.5, 10.0, seeded(99))
    plain = (received.estimate - flat).square().mean()
    assert float((network.restore(received) - flat).square().mean()) < 0.3 * float(plain)


def test_diffusion_trusts_what_arrived_as_far_as_its_noise_allows():
    received = sent(0.5, 10.0)
    aim = torch.zeros_like(LATENTS)
    lost = torch.isinf(received.noise_var)
    early, late = corrected(aim, received, 1.0), corrected(aim, received, 0.05)
    assert torch.equal(early[lost], aim[lost])
    assert torch.allclose(early[~lost], received.latents[~lost] / 1.1)
    assert late.abs().max() < 0.05 * early.abs().max()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"latents": torch.zeros(1, 4, 15, 16)}, "h and w even"),
        ({"latents": torch.full((1, 4, 16, 16), math.nan)}, "NaN"),
        ({"noise_var": torch.full((1, 4, 16, 16), -1.0)}, "negative"),
        ({"noise_var": torch.full((1, 4, 16, 16), math.nan)}, "NaN"),
        ({"noise_var": torch.zeros(1, 1, 16, 16)}, r"noise_var is \(1, 1, 16, 16\)"),
        ({"text": torch.zeros(1, 3, 5)}, "text is"),
    ],
)
def test_what_cannot_have_arrived_is_refused(change, complaint):
    good = {
        "latents": torch.zeros(1, 4, 16, 16),
        "noise_var": torch.zeros(1, 4, 16, 16),
        "text": batch_tokens([""]),
    }
    with pytest.raises(ConfigError, match=complaint):
        Received(**(good | change))


@pytest.mark.parametrize("words", [(1.5, 10.0, 8), (0.5, 99.0, 8), (0.5, 10.0, 0)])
def test_impossible_channels_are_refused(words):
    lost, snr_db, packet = words
    with pytest.raises(ConfigError, match="permitted"):
        transmit(LATENTS, lost, snr_db, seeded(), packet)


@pytest.fixture(scope="module")
def generators(family):
    torch.manual_seed(0)
    vae = Vae(VaeConfig(encoder_width=4, encoder_blocks=0, width=4, blocks=0, fine_blocks=0))
    vae.requires_grad_(False)
    return {kind: ReceiverGenerator(receiver, vae) for kind, receiver in family.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_fills_the_role(generators, kind):
    generator = generators[kind]
    assert isinstance(generator, Generator)
    latents = LATENTS[0].numpy().copy()
    latents[:, 4:8] = np.nan
    given = {"latents": latents, "noise_var": np.full_like(latents, 0.1), "seed": 4}
    a, b = (generator.generate(Request(TEXT, **given)) for _ in range(2))
    assert a.picture.shape == (64, 64, 3)
    assert np.array_equal(a.picture, b.picture)
    assert generator.generate(Request("", width=128, height=128)).picture.shape[0] == 128


def test_exact_latents_are_decoded_as_they_are(generators):
    pictures = {
        kind: g.generate(Request("", latents=LATENTS[0].numpy())).picture
        for kind, g in generators.items()
    }
    for picture in pictures.values():
        assert np.array_equal(picture, pictures["plain"])


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (Request("", edges=np.zeros((64, 64), np.uint8)), "edges is given"),
        (Request("", width=60), "width is 60"),
        (Request("", latents=np.zeros((4, 8, 8), np.float32)), r"latents is \(4, 8, 8\)"),
        (Request("", noise_var=np.zeros((4, 8, 8), np.float32)), "noise_var is"),
        (Request("a red dog"), "dog"),
    ],
)
def test_bad_requests_are_refused(generators, request_, complaint):
    with pytest.raises(ConfigError, match=complaint):
        generators["vae"].generate(request_)


def test_unknown_kinds_and_missing_weights_are_named(tmp_path):
    with pytest.raises(ConfigError, match="receiver is 'gpt'"):
        load_receiver("gpt")
    for kind, (_, _, name) in TRAINED.items():
        with pytest.raises(ModelError, match=rf"{name}\.json"):
            load_receiver(kind, tmp_path)
