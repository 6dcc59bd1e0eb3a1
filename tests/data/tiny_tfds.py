"""A TensorFlow dataset of a few rows, for the tests of TFDS sources.

It must be an importable module of its own: TFDS looks for files beside a builder.
"""

import numpy as np
import tensorflow_datasets as tfds


class TinyReviews(tfds.core.GeneratorBasedBuilder):
    """Five reviews in three labelled splits, and one split without labels."""

    VERSION = tfds.core.Version("1.2.3")
    RELEASE_NOTES = {"1.2.3": "First."}  # noqa: RUF012 - TFDS asks for it so

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(
                {
                    "data": tfds.features.FeaturesDict(
                        {
                            "text": tfds.features.Text(),
                            "stars": tfds.features.Scalar(np.int32),
                            "tags": tfds.features.Sequence(tfds.features.Text()),
                        }
                    ),
                    "label": tfds.features.ClassLabel(names=["neg", "pos"]),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {
            "test": self._generate_examples(["last"]),
            "extra": self._generate_examples(["more"]),
            "unsupervised": self._generate_examples(["no label"]),
            "train": self._generate_examples(["café 😀", "bad"]),
            "validation": self._generate_examples(["middle"]),
        }

    def _generate_examples(self, texts):
        for at, text in enumerate(texts):
            data = {"text": text, "stars": 5 - at, "tags": ["a", "é"][: at + 1]}
            yield at, {"data": data, "label": 1 - at}
