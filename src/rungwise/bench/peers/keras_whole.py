"""A net of article A's in Keras on TensorFlow, trained whole on given images, with early stopping.

    python keras_whole.py NET FORMAT IMAGES.npz SEED          FORMAT is float32 or mixed_bfloat16

The file holds `train`, `validation` and `test` (N, 28, 28, 1) uint8 and their `..._labels`. Prints
a line of JSON with the seconds that `fit` took, its first step's tracing included, the epochs and
the test accuracy. It needs Keras and TensorFlow and nothing of rungwise.
"""

import json
import sys
import time

import keras
import numpy as np
from keras_fit import BATCH_SIZES, compiled

LONGEST = 10_000
"""Epochs that the article allows."""


def main() -> None:
    name, number_format, path, seed = sys.argv[1:]
    keras.mixed_precision.set_global_policy(number_format)
    keras.utils.set_random_seed(int(seed))
    model = compiled(name)
    arrays = np.load(path)

    def part(part_name: str) -> tuple:
        images = arrays[part_name].astype(np.float32) / 255
        labels = np.eye(10, dtype=np.float32)[arrays[f"{part_name}_labels"]]
        flat = images.reshape(len(images), -1)
        return images, [labels, flat] if len(model.outputs) == 2 else labels

    images, targets = part("train")
    stopping = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=1e-5, patience=10)
    started = time.perf_counter()
    history = model.fit(
        images,
        targets,
        batch_size=BATCH_SIZES[name[0]],
        epochs=LONGEST,
        validation_data=part("validation"),
        callbacks=[stopping],
        verbose=0,
    )
    seconds = time.perf_counter() - started
    answers = model.predict(part("test")[0], batch_size=1000, verbose=0)
    answers = answers[0] if len(model.outputs) == 2 else answers
    accuracy = float((answers.argmax(1) == arrays["test_labels"]).mean())
    told = {"seconds": seconds, "epochs": len(history.epoch), "test_accuracy": accuracy}
    print(json.dumps({**told, "keras": keras.__version__}), flush=True)


if __name__ == "__main__":
    main()
