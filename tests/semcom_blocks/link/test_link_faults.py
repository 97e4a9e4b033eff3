# SPDX-License-Identifier: GPL-3.0-or-later
"""Loss, duplicates, reordering, truncation, silence and wrap, in virtual time."""

import numpy as np
import pytest

from semcom_blocks.link import ArqConfig, ArqSender, SemanticMessage

WORDS = (
    *("a", "the", "red", "blue", "old", "small", "cat", "bus"),
    *("house", "tree", "river", "sky", "on", "under", "beside", "with"),
)


def prompts(n_prompts, seed):
    """Most fit one packet, every tenth needs several."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(3, 30, n_prompts) * np.where(np.arange(n_prompts) % 10 == 9, 30, 1)
    return [
        " ".join(rng.choice(WORDS, length)) + f" #{i} é\U0001f98a"
        for i, length in enumerate(lengths)
    ]


def send_all(link, texts, at_once=8, payload_jobs=65536):
    """Submit in groups, each when the one before has come to rest."""
    for start in range(0, len(texts), at_once):
        for number in range(start, min(start + at_once, len(texts))):
            link.submit(number % payload_jobs, SemanticMessage(texts[number]).to_bytes())
        link.run()
    return [(job_id, SemanticMessage.from_bytes(data).prompt) for job_id, data in link.received]


def check_exactly_once(link, texts):
    got = send_all(link, texts)
    assert sorted(got) == list(enumerate(texts))
    assert sorted(link.delivered) == list(range(len(texts)))
    assert link.failed == []


def check_never_wrong(link, texts):
    got = send_all(link, texts)
    assert len(set(got)) == len(got)
    assert set(got) <= set(enumerate(texts))
    got_ids = {job_id for job_id, _ in got}
    assert set(link.delivered) <= got_ids
    failed = {event.job_id for event in link.failed}
    assert failed | set(link.delivered) == set(range(len(texts)))
    assert not failed & set(link.delivered)


N_PROMPTS = 1000
SEEDS = range(5)


@pytest.mark.parametrize("loss", [0.0, 0.10, 0.25])
@pytest.mark.parametrize("seed", SEEDS)
def test_exactly_once_up_to_a_quarter_lost_each_way(make_link, loss, seed):
    link = make_link(seed=seed, loss=loss, ack_loss=loss)
    check_exactly_once(link, prompts(N_PROMPTS, seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_half_lost_each_way_is_delivered_or_given_up(make_link, seed):
    link = make_link(seed=seed, loss=0.5, ack_loss=0.5)
    check_never_wrong(link, prompts(N_PROMPTS, seed))
    assert len(link.delivered) > 0.99 * N_PROMPTS


@pytest.mark.parametrize("seed", SEEDS)
def test_duplicates_reordering_and_truncation_at_once(make_link, seed):
    link = make_link(
        seed=seed, loss=0.1, ack_loss=0.1, duplicate=0.2, truncate=0.1, reorder_window=8
    )
    check_exactly_once(link, prompts(N_PROMPTS, seed))
    assert link.receiver.counters["packets_bad"] > 0
    assert link.receiver.counters["packets_duplicate"] > 0
    assert link.sender.counters["acks_bad"] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_half_of_the_acks_lost(make_link, seed):
    link = make_link(seed=seed, ack_loss=0.5)
    check_exactly_once(link, prompts(N_PROMPTS, seed))


@pytest.mark.parametrize("loss", [{"loss": 1.0}, {"ack_loss": 1.0}])
def test_silence_is_given_up_in_bounded_time(make_link, loss):
    link = make_link(config=ArqConfig(give_up_s=15.0), **loss)
    for job_id in range(5):
        link.submit(job_id, bytes(5000))
    link.run()
    assert [event.job_id for event in link.failed] == list(range(5))
    assert all(done_s == pytest.approx(15.0, abs=0.2) for done_s in link.done_s.values())
    assert link.sender.counters["packets_sent"] < 200  # probed, not flooded
    # The link works again: the next message gets through at once.
    link.channel = type(link.channel)()
    start_s = link.now_s
    link.submit(9, b"after the silence")
    link.run()
    assert link.done_s[9] - start_s < 2.0


def check_wraps(make_link, step):
    """Three times through all job ids, ``step`` apart; tags wrap as well."""
    link = make_link(
        seed=3, session=2**32 - 500, loss=0.1, ack_loss=0.1, duplicate=0.1, reorder_window=8
    )
    n_messages = 3 * 65536 // step + 20
    expected = []
    for number in range(n_messages):
        job_id = number * step % 65536
        message = number.to_bytes(4, "big")
        link.submit(job_id, message)
        expected.append((job_id, message))
        if number % 16 == 15:
            link.run()
    link.run()
    assert sorted(link.received) == sorted(expected)
    assert len(link.delivered) == n_messages


def test_job_ids_wrap_three_times(make_link):
    check_wraps(make_link, 97)


@pytest.mark.slow
def test_every_job_id_three_times(make_link):
    check_wraps(make_link, 1)


def test_same_job_id_again_and_again(make_link):
    """As of a caller that restarts for every message."""
    link = make_link(seed=1, loss=0.2, ack_loss=0.2, duplicate=0.2, reorder_window=8)
    for number in range(300):
        link.submit(0, b"same text" if number % 2 else number.to_bytes(2, "big") * 400)
        link.run()
    assert len(link.received) == len(link.delivered) == 300
    assert [message for _, message in link.received[1::2]] == [b"same text"] * 150


def test_without_feedback_repeats_bring_it_through(make_link):
    link = make_link(config=ArqConfig(feedback=False, repeats=4), seed=2, loss=0.2)
    texts = prompts(200, 0)
    got = send_all(link, texts)
    assert link.sent == list(range(200))
    assert len(set(got)) == len(got) > 180
    assert set(got) <= set(enumerate(texts))


def test_same_seed_gives_identical_packets(make_link):
    def air(seed, session):
        link = make_link(seed=seed, session=session, loss=0.3, ack_loss=0.3, reorder_window=8)
        send_all(link, prompts(50, 0))
        return link.on_air

    assert air(4, 9) == air(4, 9)
    assert air(4, 9) != air(5, 9)
    assert air(4, 9) != air(4, 10)


def test_sender_keeps_no_memory_of_what_is_over(make_link):
    link = make_link(seed=6, loss=0.2, ack_loss=0.2)
    send_all(link, prompts(60, 1))
    sender = link.sender
    assert isinstance(sender, ArqSender)
    left = [value for value in vars(sender).values() if isinstance(value, dict | list)]
    assert all(len(value) == 0 for value in left if value is not sender._counters)


@pytest.mark.parametrize("loss", [0.0, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("ack_loss_too", [False, True])
@pytest.mark.parametrize("reorder_window", [0, 8])
def test_efficiency_is_near_the_bound_of_selective_repeat(
    make_link, loss, ack_loss_too, reorder_window
):
    """At loss p no scheme needs fewer than 1 / (1 - p) transmissions a packet."""
    n_sent, elapsed_s, n_packets = 0, 0.0, 0
    for seed in range(3):
        link = make_link(
            config=ArqConfig(give_up_s=100.0),
            seed=seed,
            loss=loss,
            ack_loss=loss if ack_loss_too else 0.0,
            reorder_window=reorder_window,
        )
        for job_id in range(40):
            link.submit(job_id, bytes(240 * 75 - 4))
        link.run()
        assert len(link.delivered) == len(link.received) == 40
        n_sent += link.sender.counters["packets_sent"]
        elapsed_s += max(link.done_s.values())
        n_packets += 40 * 75
    assert n_packets / n_sent > 0.95 * (1 - loss)
    # In time as well, the wait for the last packets included.
    assert n_packets * link.channel.packet_s / elapsed_s > 0.90 * (1 - loss)
