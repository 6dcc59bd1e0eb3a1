"""The words every room shares: rows, reviews, batches, outputs, run folders, errors.

This module imports nothing of ours, so every other module may import it.

Axis alphabet (one letter, one meaning; a suffix on a local names its axes, so
``hidden_btd`` is page x token x feature):

===== =========================== ===== ===========================
``b`` page                        ``h`` attention head
``t`` token in a page             ``f`` feed-forward feature
``k`` review slot in a page       ``v`` vocabulary entry
``l`` token in a review           ``c`` convolution channel
``n`` window                      ``p`` skip phase
``w`` step in a window            ``q`` step within a phase
``d`` encoder feature             ``r`` recurrent feature
``s`` series                      ``m`` summary feature
``y`` class                       ``x`` covariate of a review
``g`` group of reviews            ``u`` hidden token of a page
``e`` event of a case             ``i`` source of a case
``j`` interval of a hazard
===== =========================== ===== ===========================
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

ArrayLike = np.ndarray | jax.Array

NO_LABEL = -1
"""Label of an empty slot, or of a review whose answer is unknown."""


RAW_CHARACTERS = 1000
"""Most characters that are kept of a row that could not be read."""


class InputError(ValueError):
    """A mistake in what the user gave us; launchers print it without a traceback.

    Attributes:
      what: one sentence that says what is wrong.
      where: file, row and field, as far as they are known; may be empty.
      fix: what to do about it; may be empty.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        parts = [what, f"Where: {where}" if where else "", fix]
        super().__init__("\n".join(part for part in parts if part))

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent between processes with its parts."""
        return _same_error, (type(self), self.what, self.where, self.fix)


class TransientError(InputError):
    """Not for ever, and not the user's mistake: the same command may succeed later.

    A full disk, a lost worker, processes that did not come. Launchers end with another
    exit code than after a mistake, so that supervisors try again.
    """


def _same_error(kind: type[InputError], what: str, where: str, fix: str) -> InputError:
    return kind(what, where=where, fix=fix)


def check_seed(seed: int, field: str) -> None:
    """Refuses a seed that the random generators do not take.

    Args:
      seed: 0 to 2**32 - 1.
      field: of the config, without ``config.``, for the message.

    Raises:
      InputError: it is out of range.
    """
    if not 0 <= seed < 1 << 32:
        raise InputError(
            f"{field} is {seed}.",
            where=f"field {field}",
            fix="Give a whole number from 0 to 4294967295.",
        )


class RawRow(NamedTuple):
    """One row as the source gave it (stage 1, raw).

    ``fields`` maps column name to value. ``problem`` is empty for a well-formed row;
    otherwise it says why the row could not be read, and ``fields`` holds what could.
    ``line`` counts from 1 and is the physical line of the file on which the row
    starts (for Parquet and TFDS, which have no lines, the row number from 1). ``raw``
    is a row with a problem as it was written, at most 1,000 characters of it, where it
    was text; else empty.
    """

    file: str
    line: int
    fields: Mapping[str, Any]
    problem: str = ""
    raw: str = ""


class Review(NamedTuple):
    """One checked review (stage 2); stage 3 replaces ``text`` by the cleaned text.

    Attributes:
      row: position among all rows of the source, from 0, rejected rows included.
      file: the file (or ``tfds:name``) it came from.
      line: its line there, from 1.
      text: title and text joined, never empty.
      label: the label as written, stripped; empty when the source has none.
      group: user, product or other key that must not cross splits; empty if none.
      time: seconds since 1970 UTC, or None.
      split: the split the source itself names (``train``, ``test``, ...), or empty.
      slice: what it is scored apart by; empty if none.
    """

    row: int
    file: str
    line: int
    text: str
    label: str
    group: str
    time: int | None
    split: str
    slice: str = ""


class Rejected(NamedTuple):
    """A row that was set aside, and why. One line of ``rejected.jsonl``."""

    row: int
    file: str
    line: int
    field: str
    reason: str
    value: str


class HistoryBatch(NamedTuple):
    """Runs of reviews of one subject over the slots of a page (stage 7).

    A *window* is the last ``w`` reviews of a subject up to one of them, its *anchor*.
    The window axis is the slot axis: window ``k`` ends at the review in slot ``k``, so
    a slot anchors one window at most. Its steps never leave the page.

    Example (windows of 3; slots 0 to 2 hold one shopper's reviews, oldest first)::

        window_slots    [[-1, -1, 0], [-1, 0, 1], [0, 1, 2], [-1, -1, -1]]

    Attributes:
      window_slots_bkw: int32 slot in the same page of each step, oldest first; -1 where
        there is none, which is always on the left. All -1 where the slot is empty or
        a window would not be whole (context, see ``PageBatch.review_bk``).
      covariate_bkx: float32, what else is known of the review, standardised; 0 if
        empty. The axis ``x`` is that of the declared covariates.
      intent_label_bk: int32 class of the intention after the window, or ``NO_LABEL``.
      intent_weight_bk: float32 weight of the window in the loss; 0 if empty.
    """

    window_slots_bkw: ArrayLike
    covariate_bkx: ArrayLike
    intent_label_bk: ArrayLike
    intent_weight_bk: ArrayLike


class WordBatch(NamedTuple):
    """The words of the reviews of a page, whole where tokens may be parts of them.

    The words of a slot begin where its tokens begin. A word has one token or more and a
    review two tokens beside those, so words always fit.

    Example (one slot of the tokens ``[CLS] tea ##pot leak ##s [SEP]``, from step 4)::

        word_ids [-1, -1, -1, -1, 17, 9, -1, ...]    slot_start [4]  word_length [2]

    Attributes:
      word_ids_bt: int32 ids of words, 0 for those that are unknown; -1 where there is
        none.
      word_length_bk: int32, words in the slot; 0 where it is empty.
    """

    word_ids_bt: ArrayLike
    word_length_bk: ArrayLike


class PageBatch(NamedTuple):
    """Pages of whole reviews (stage 7): the one layout the models read.

    A *segment* is what attention may look across: one chunk of one review. A *slot*
    is one review: one segment, or several in a row when the review is long.

    Example (page of 12 tokens, 4 slots, three one-chunk reviews)::

        token_ids     [CLS] great tea [SEP] [CLS] leaks [SEP] [CLS] ok then broke [SEP]
        segment_ids     1     1    1    1     2     2     2     3    3   3    3     3
        position_ids    0     1    2    3     0     1     2     0    1   2    3     4
        slot_start    [0, 4, 7, 0]     slot_length [4, 3, 5, 0]

    Attributes:
      token_ids_bt: int32, vocabulary entries; the padding id where there is no token.
      segment_ids_bt: int32, 1, 2, ... within a page; 0 marks padding.
      position_ids_bt: int32, position within the segment, from 0.
      slot_start_bk: int32, first token of the slot.
      slot_length_bk: int32, tokens in the slot; 0 marks an empty slot.
      label_bk: int32 class of the review, or ``NO_LABEL``.
      weight_bk: float32 weight of the review in the loss (class weights); 0 if empty.
      review_bk: int32 index of the review in the prepared data; -1 if empty, and where
        the review is context: there only for the windows of later ones, counted on
        another page. Context has neither label nor weight.
      history: windows over the slots; None where only reviews are asked about.
      words: whole words; None where no model reads them.
    """

    token_ids_bt: ArrayLike
    segment_ids_bt: ArrayLike
    position_ids_bt: ArrayLike
    slot_start_bk: ArrayLike
    slot_length_bk: ArrayLike
    label_bk: ArrayLike
    weight_bk: ArrayLike
    review_bk: ArrayLike
    history: HistoryBatch | None = None
    words: WordBatch | None = None


class MaskedBatch(NamedTuple):
    """Pages some of whose tokens are hidden, and what they were (pre-training).

    Attributes:
      token_ids_bt, segment_ids_bt, position_ids_bt: int32, as in :class:`PageBatch`;
        hidden tokens are the mask, another piece or themselves.
      place_bu: int32 token of the page that is asked for; 0 where there is none.
      target_bu: int32 vocabulary entry that stood there, or ``NO_LABEL``.
      review_bk: int32 index of the text in each slot; -1 if empty.
    """

    token_ids_bt: ArrayLike
    segment_ids_bt: ArrayLike
    position_ids_bt: ArrayLike
    place_bu: ArrayLike
    target_bu: ArrayLike
    review_bk: ArrayLike


class CaseBatch(NamedTuple):
    """Cases and their sources, as MSDP-Net reads them; empty places have no source.

    The axis ``i`` is that of the sources: text, behaviour, structured. ``k`` counts the
    texts of a case, ``c`` its categories, ``f`` its numbers, ``x`` what is known of an
    event beside kind and item.

    Attributes:
      event_number_bex: float32, standardised, the newest event last; 0 where none.
      event_kind_be, event_item_be: int32; 0 missing, 1 unknown to training.
      event_length_b: int32 events that are there, at the end of the axis.
      text_bkd: float32, the encoder's vector of each text; 0 where there is none.
      text_there_bk: bool, there is a text.
      category_bc: int32; 0 missing, 1 unknown to training.
      number_bf: float32, standardised numbers, then a flag for each that is missing.
      there_bi: bool, the case has the source.
      intent_b: int32 1 yes, 0 no, ``NO_LABEL`` unknown.
      value_b: float32, log(1 + value), standardised; 0 where unknown.
      value_known_b: float32 1 where the value is known, else 0.
      interval_b: int32, the interval of the event, or how many the case survived; -1
        where nothing is known.
      came_b: float32 1 where the event came in that interval, 0 where it is censored.
      row_b: int32, which case it is; -1 where the place is empty.
    """

    event_number_bex: ArrayLike
    event_kind_be: ArrayLike
    event_item_be: ArrayLike
    event_length_b: ArrayLike
    text_bkd: ArrayLike
    text_there_bk: ArrayLike
    category_bc: ArrayLike
    number_bf: ArrayLike
    there_bi: ArrayLike
    intent_b: ArrayLike
    value_b: ArrayLike
    value_known_b: ArrayLike
    interval_b: ArrayLike
    came_b: ArrayLike
    row_b: ArrayLike


class ModelOutput(NamedTuple):
    """Everything the main model computes; jit drops what nobody reads.

    Attributes:
      hidden_btd: encoder states of every token (zeros carry no meaning on padding);
        None where there is no encoder.
      review_bkm: the summary of every slot.
      logits_bky: sentiment logits of every slot, float32; None where the model has no
        sentiment.
      window_bkm: summary of the window that ends at each slot; 0 where there is none.
      intent_bky: logits of the intention after that window, float32.
      text_intent_bky: the same asked of the anchor's text alone, without the history.

    The last three are None where the model reads no history.
    """

    hidden_btd: jax.Array | None
    review_bkm: jax.Array
    logits_bky: jax.Array | None
    window_bkm: jax.Array | None = None
    intent_bky: jax.Array | None = None
    text_intent_bky: jax.Array | None = None


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Names of the files in a run's folder (``--workdir``), all in one place.

    Attributes:
      root: the folder.
      elsewhere: where checkpoints lie if not in it: a folder or a URL (``gs://``,
        ``s3://``); '' = in the folder.
      shared: where prepared data lie if several runs use them; '' = in the folder.
    """

    root: Path
    elsewhere: str = ""
    shared: str = ""

    @property
    def config(self) -> Path:
        """The full config as JSON, written when the run starts."""
        return self.root / "config.json"

    @property
    def prepared(self) -> Path:
        """Prepared data: checked, cleaned, labelled, split and tokenised."""
        return Path(self.shared) if self.shared else self.root / "data"

    @property
    def rejected(self) -> Path:
        """Rows set aside, a JSON object a line; beside the data if those are shared."""
        if self.shared:
            place = Path(self.shared)
            return place.with_name(f"{place.name}.rejected.jsonl")
        return self.root / "rejected.jsonl"

    @property
    def encoder(self) -> Path:
        """Encoder config and tokenizer files, so that the run stands on its own."""
        return self.root / "encoder"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer that pre-training learned, and from which texts."""
        return self.root / "tokenizer"

    @property
    def checkpoints(self) -> Path:
        """Orbax checkpoints, latest and best, where they are not kept elsewhere."""
        return self.root / "checkpoints"

    @property
    def words(self) -> Path:
        """Words that have a vector, by id (JSON), where the model reads words."""
        return self.root / "words.json"

    @property
    def log(self) -> Path:
        """Training log, one JSON object a line."""
        return self.root / "log.jsonl"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard event files."""
        return self.root / "tensorboard"

    @property
    def model(self) -> Path:
        """What scoring needs beside the weights: classes, temperature, sizes (JSON)."""
        return self.root / "model.json"

    @property
    def metrics(self) -> Path:
        """All scores of the run and of its baselines (JSON)."""
        return self.root / "metrics.json"

    def predictions(self, split: str) -> Path:
        """The table of predictions that every figure of ``split`` is computed from."""
        return self.root / f"predictions_{split}.parquet"

    @property
    def report(self) -> Path:
        """The report for people."""
        return self.root / "report.html"
