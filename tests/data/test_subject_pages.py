"""Subject pages: every review counted once, every window whole, no page too full."""

import importlib
import time
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewintent_jax.data.pages import (
    PageSpec,
    ReviewFields,
    build_pages,
    slot_lengths,
)
from reviewintent_jax.data.subject_pages import (
    SubjectPlanner,
    check_window_fits,
    make_chain,
)
from reviewintent_jax.data.tokens import SpecialIds
from reviewintent_jax.data.windows import HistoryFields, window_slots
from reviewintent_jax.schema import NO_LABEL, InputError

SPECIAL = SpecialIds(first=101, last=102, pad=9)


def windows_of(subjects, window):
    """The windows of subjects given as lists of reviews, by a plain loop."""
    found = np.full((sum(map(len, subjects)), window), -1, np.int64)
    for reviews in subjects:
        for at, review in enumerate(reviews):
            last = reviews[max(0, at + 1 - window) : at + 1]
            found[review, window - len(last) :] = last
    return found


def planned(subjects, lengths, spec, window, *, split=None, shuffle=None):
    order = np.array([review for reviews in subjects for review in reviews])
    planner = SubjectPlanner(order, windows_of(subjects, window))
    split = np.arange(len(order)) if split is None else np.array(split)
    plan = planner(split, np.array(lengths)[split], spec, shuffle=shuffle)
    pages = [slice(*plan.offset_p[p : p + 2]) for p in range(plan.pages)]
    return [(plan.review_n[p], plan.start_n[p], plan.own_n[p]) for p in pages]


def test_the_picture_of_the_docstring():
    spec = PageSpec(page_tokens=12, chunk_tokens=12, max_tokens=4, slots=4)
    found = planned([[0, 1, 2, 3, 4, 5]], [3] * 6, spec, 3)
    assert [(r.tolist(), s.tolist(), own.tolist()) for r, s, own in found] == [
        ([0, 1, 2, 3], [0, 3, 6, 9], [True] * 4),
        ([2, 3, 4, 5], [0, 3, 6, 9], [False, False, True, True]),
    ]


def test_the_chain_of_the_docstring():
    order, split = np.array([2, 4, 5, 9, 0, 1, 3, 6, 7, 8]), np.array([5, 2, 9])
    window = np.full((10, 2), -1)
    window[2], window[5], window[9] = [-1, 2], [4, 5], [-1, 9]
    chain = make_chain(split, order, window)
    assert chain.item_n.tolist() == [1, 0, 2]
    assert chain.first_n.tolist() == [0, 1, 2]
    longer = np.full((10, 3), -1)
    longer[2, 2], longer[5], longer[9, 2] = 2, [2, 4, 5], 9
    assert make_chain(split, order, longer).first_n.tolist() == [0, 0, 2]


def test_a_window_that_reads_a_later_review_is_refused():
    window = np.array([[-1, 1], [0, 1]])
    with pytest.raises(ValueError, match="ends at its anchor"):
        make_chain(np.arange(2), np.arange(2), window)


def test_slots_of_windows_are_the_picture_of_the_docstring():
    found = window_slots(np.array([7, 3, 9]), np.array([[-1, 3, 7], [3, 5, 9]]))
    assert found.tolist() == [[-1, 1, 0], [-1, 1, 2]]


@st.composite
def cases(draw):
    counts = draw(st.lists(st.integers(1, 15), min_size=1, max_size=12))
    total = sum(counts)
    reviews = draw(st.permutations(range(total)))
    ends = np.cumsum(counts)
    subjects = [
        list(reviews[end - count : end])
        for count, end in zip(counts, ends, strict=True)
    ]
    window, chunk = draw(st.integers(1, 4)), draw(st.sampled_from([8, 12]))
    most = draw(st.integers(3, 2 * chunk))
    blocks = window * -(-most // chunk) + draw(st.integers(0, 3))
    spec = PageSpec(
        blocks * chunk,
        chunk,
        min(most, blocks * chunk),
        window + draw(st.integers(0, 5)),
    )
    lengths = draw(
        st.lists(st.integers(2, spec.max_tokens), min_size=total, max_size=total)
    )
    split = draw(st.lists(st.sampled_from(range(total)), min_size=1, unique=True))
    seed = draw(st.none() | st.integers(0, 99))
    return subjects, window, spec, lengths, sorted(split), seed


def check_page(page, lengths, spec):
    """No two reviews overlap, none leaves the page, no chunk crosses a border."""
    reviews, starts, _ = page
    assert len(reviews) <= spec.slots
    taken = np.zeros(spec.page_tokens, int)
    for review, start in zip(reviews, starts, strict=True):
        end = start + lengths[review]
        assert end <= spec.page_tokens
        taken[start:end] += 1
        for chunk in range(start, end, spec.chunk_tokens):
            last = min(chunk + spec.chunk_tokens, end) - 1
            assert chunk // spec.chunk_tokens == last // spec.chunk_tokens
    assert taken.max() == 1


@settings(deadline=None, max_examples=150)
@given(cases())
def test_every_review_counts_once_and_every_window_is_whole(case):
    subjects, window, spec, lengths, split, seed = case
    shuffle = None if seed is None else np.random.default_rng(seed)
    pages = planned(subjects, lengths, spec, window, split=split, shuffle=shuffle)
    window_nw = windows_of(subjects, window)
    counted = []
    for page in pages:
        check_page(page, lengths, spec)
        reviews, _, own = page
        counted += reviews[own].tolist()
        assert set(reviews) <= set(split)
        for anchor in reviews[own]:
            needed = {r for r in window_nw[anchor].tolist() if r in split}
            assert needed <= set(reviews.tolist())
    assert sorted(counted) == split


@settings(deadline=None, max_examples=60)
@given(cases())
def test_pages_say_what_a_plain_loop_says(case):
    subjects, window, spec, lengths, split, seed = case
    rng = np.random.default_rng(seed)
    total = len(lengths)
    history = HistoryFields(
        windows_of(subjects, window),
        rng.normal(size=(total, 3)).astype(np.float32),
        rng.integers(-1, 2, total),
        rng.uniform(0.5, 2, total).astype(np.float32),
    )
    fields = ReviewFields(
        rng.integers(-1, 3, total), rng.uniform(0.5, 2, total), history
    )
    order = np.concatenate(subjects)
    planner = SubjectPlanner(order, history.window_nw)
    ids = [np.arange(n) for n in lengths]  # framed they are longer, or cut
    slot = slot_lengths(np.array([len(i) for i in ids]), spec).slot_n
    plan = planner(np.array(split), slot[split], spec, shuffle=rng)
    batch = build_pages(
        plan,
        range(plan.pages),
        ids.__getitem__,
        fields,
        SPECIAL,
        spec,
        size=plan.pages + 1,
    )
    found = batch.history
    for b, k in np.ndindex(batch.review_bk.shape):
        review = batch.review_bk[b, k]
        steps = found.window_slots_bkw[b, k]
        if review < 0:
            assert batch.label_bk[b, k] == found.intent_label_bk[b, k] == NO_LABEL
            assert batch.weight_bk[b, k] == found.intent_weight_bk[b, k] == 0
            assert (steps == -1).all()
            continue
        wanted = [r for r in history.window_nw[review] if r in split]
        missing = window - len(wanted)
        assert (steps[:missing] == -1).all()
        assert (steps[missing:] >= 0).all()
        assert steps[-1] == k
        assert batch.label_bk[b, k] == fields.label_n[review]
        assert found.intent_label_bk[b, k] == history.intent_label_n[review]
        assert found.intent_weight_bk[b, k] == history.intent_weight_n[review]
        seen = found.covariate_bkx[b, steps[missing:]]
        assert seen.tolist() == history.covariate_nx[wanted].tolist()
        assert (batch.slot_length_bk[b, steps[missing:]] == slot[wanted]).all()


def shop(reviews, seed=0):
    """Subjects as in a shop: most bought once, a few very often."""
    rng = np.random.default_rng(seed)
    counts = rng.zipf(1.8, reviews).clip(max=500)
    counts = counts[: np.searchsorted(counts.cumsum(), reviews) + 1]
    total = int(counts.sum())
    at = np.arange(total) - np.repeat(counts.cumsum() - counts, counts)
    steps = np.arange(total)[:, None] + np.arange(-6, 1)
    window = np.where(at[:, None] + np.arange(-6, 1) >= 0, steps, -1)
    lengths = rng.lognormal(3.9, 0.8, total).astype(int).clip(3, 128)
    return window, lengths


@pytest.mark.parametrize("blocks", [8, 16])
def test_packing_wastes_little_on_subjects_of_a_shop(blocks):
    window, lengths = shop(20_000)
    spec = PageSpec(128 * blocks, 128, 128, 24 * blocks)
    planner = SubjectPlanner(np.arange(len(window)), window)
    shuffle = np.random.default_rng(5)
    plan = planner(np.arange(len(window)), lengths, spec, shuffle=shuffle)
    assert plan.pages * spec.page_tokens / lengths[plan.review_n].sum() < 1.05


def test_the_time_grows_with_the_reviews_and_not_faster():
    seconds = []
    for reviews in (10_000, 80_000):
        window, lengths = shop(reviews)
        planner = SubjectPlanner(np.arange(len(window)), window)
        spec = PageSpec(1024, 128, 128, 96)
        taken = []
        for _ in range(3):  # the least: what others do on the machine only adds
            begin = time.process_time()
            planner(np.arange(len(window)), lengths, spec)
            taken.append(time.process_time() - begin)
        seconds.append(min(taken))
    assert seconds[1] < 24 * seconds[0]  # 64 times if it were quadratic


def test_shuffles_differ_and_repeat():
    subjects = [[2 * i, 2 * i + 1] for i in range(30)]
    spec = PageSpec(16, 16, 8, 4)
    plans = [
        [
            page[0].tolist()
            for page in planned(
                subjects, [5] * 60, spec, 2, shuffle=np.random.default_rng(seed)
            )
        ]
        for seed in (1, 1, 2)
    ]
    assert plans[0] == plans[1] != plans[2]


@pytest.mark.parametrize(
    ("window", "sizes", "match"),
    [
        (7, (512, 128, 512, 96), "page_tokens=3584"),
        (7, (768, 128, 128, 96), "page_tokens=896"),
        (7, (384, 128, 64, 96), "page_tokens=512"),
        (7, (1024, 128, 128, 6), "slots=7"),
    ],
)
def test_a_window_that_fits_no_page_is_refused_with_the_size_it_takes(
    window, sizes, match
):
    with pytest.raises(InputError, match=match):
        check_window_fits(window, PageSpec(*sizes))


@pytest.mark.parametrize("sizes", [(1024, 128, 128, 7), (512, 128, 64, 96)])
def test_a_window_that_just_fits_is_taken(sizes):
    check_window_fits(7, PageSpec(*sizes))


@pytest.mark.parametrize("name", ["intention", "amazon_musical", "yelp_next"])
def test_the_windows_of_configs_about_subjects_fit_on_their_pages(name):
    config = importlib.import_module(f"configs.{name}").get_config()
    pages = {field.name: config.pages[field.name] for field in fields(PageSpec)}
    check_window_fits(config.intention.window, PageSpec(**pages))
