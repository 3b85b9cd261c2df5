"""The articles' nets in Keras on TensorFlow, trained with `model.fit` as the articles do.

    python keras_fit.py NET FORMAT          FORMAT is float32 or mixed_bfloat16

Speaks with `rungwise bench` through its standard streams: once ready it prints a line of JSON that
describes it, then for each line with a number of images it trains on so many and prints the
seconds. It needs Keras and TensorFlow and nothing of rungwise.
"""

import json
import math
import os
import resource
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
from keras import layers

BATCH_SIZES = {"A": 8, "B": 500, "C": 32, "D": 6000, "E": 32}
"""The batch size of each article; E does not name its own, 32 is Keras's default."""
CIFAR10, MNIST = (32, 32, 3), (28, 28, 1)


def conv(width: int, size: int = 3, padding: str = "same", **settings: object) -> layers.Layer:
    return layers.Conv2D(width, size, padding=padding, activation="relu", **settings)


def dense(width: int) -> layers.Layer:
    return layers.Dense(width, activation="relu")


def logits() -> layers.Layer:
    return layers.Dense(10, activation="softmax", dtype="float32")


def chain(shape: tuple[int, int, int], *steps: layers.Layer) -> keras.Model:
    return keras.Sequential([layers.Input(shape), *steps])


def strided_steps() -> list[layers.Layer]:
    def strided(width: int) -> layers.Layer:
        return layers.Conv2D(width, 2, strides=2, padding="same")

    def pool() -> layers.Layer:
        return layers.MaxPooling2D(2, padding="same")

    convolutions = [strided(32), strided(16), pool(), strided(8), pool(), strided(8), pool()]
    return [*convolutions, layers.Flatten(), dense(128), dense(64)]


def two_branches() -> keras.Model:
    image = layers.Input(MNIST)
    flat = layers.Flatten()(image)
    code = dense(128)(dense(128)(dense(256)(flat)))
    pixels = layers.Dense(784, activation="sigmoid", dtype="float32", name="pixels")
    reconstruction = pixels(dense(128)(code))
    features = image
    for layer in strided_steps():
        features = layer(features)
    joined = layers.add([dense(64)(dense(128)(code)), features])
    return keras.Model(image, [logits()(dense(32)(joined)), reconstruction])


def vgg_benchmark() -> keras.Model:
    def group(width: int) -> list[layers.Layer]:
        return [conv(width), conv(width), layers.Dropout(0.25), layers.MaxPooling2D(2)]

    end = [conv(256), conv(256), layers.GlobalAveragePooling2D(), dense(1024), layers.Dropout(0.25)]
    return chain(CIFAR10, *group(64), *group(128), *end, logits())


def vgg_deep() -> keras.Model:
    norm = layers.BatchNormalization

    def group(width: int) -> list[layers.Layer]:
        steps = [conv(width), conv(width), norm(), conv(width), layers.MaxPooling2D(2)]
        return [*steps, layers.Dropout(0.25)]

    wide = [conv(256), conv(256), norm(), conv(256), conv(256), conv(256), norm()]
    end = [conv(512), conv(512), layers.GlobalAveragePooling2D()]
    head = [dense(1024), layers.Dropout(0.5), dense(1024), layers.Dropout(0.5)]
    return chain(CIFAR10, *group(64), *group(128), *wide, *end, *head, logits())


def fashion(widths: tuple[int, ...], border: int = 0) -> keras.Model:
    edge = [layers.ZeroPadding2D(border)] if border else []
    convolutions = [conv(width, padding="valid") for width in widths]
    pooled = [layers.MaxPooling2D(2), layers.Dropout(0.25), layers.Flatten()]
    return chain(MNIST, *edge, *convolutions, *pooled, dense(128), layers.Dropout(0.5), logits())


def first_cnn() -> keras.Model:
    convolutions = [conv(16), layers.MaxPooling2D(2), conv(32), layers.MaxPooling2D(2)]
    return chain(MNIST, *convolutions, layers.Flatten(), dense(128), dense(128), logits())


def multitask() -> keras.Model:
    image = layers.Input(MNIST)
    features = image
    for last in (False, True):
        for _ in range(2):
            features = layers.Dropout(0.1)(conv(64)(features))
        features = conv(64)(features)
        features = features if last else layers.Dropout(0.1)(features)
        features = layers.MaxPooling2D(2)(features)
    classes = logits()(dense(1024)(layers.Flatten()(features)))
    large = layers.UpSampling2D(2)(conv(64)(layers.UpSampling2D(2)(features)))
    pixels = layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype="float32")
    return keras.Model(image, [classes, pixels(large)])


NETS = {
    "A-cnn": lambda: chain(MNIST, *strided_steps(), logits()),
    "A-autoencoder": two_branches,
    "B-benchmark": vgg_benchmark,
    "B-deep": vgg_deep,
    "C-mlp": lambda: chain(MNIST, layers.Flatten(), dense(128), logits()),
    "C-cnn": lambda: fashion((32, 64)),
    "C-conv3": lambda: fashion((32, 64, 128)),
    "C-conv4": lambda: fashion((32, 64, 128, 256)),
    "C-padding": lambda: fashion((32, 64, 128), border=2),
    "D-dense": lambda: chain(MNIST, layers.Flatten(), dense(128), dense(128), logits()),
    "D-cnn": first_cnn,
    "E-multitask": multitask,
}


class SecondEpoch(keras.callbacks.Callback):
    """Times the second epoch: the first one also sets up what a call of `fit` needs."""

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:
        self.seconds = time.perf_counter() - self.started


def compiled(name: str) -> keras.Model:
    model = NETS[name]()
    optimizer = keras.optimizers.Adam(0.001)
    if name.startswith("E"):
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
    loss, weights = "categorical_crossentropy", None
    if len(model.outputs) == 2:
        loss, weights = [loss, "mse"], [0.9, 0.1] if name.startswith("E") else [1.0, 1.0]
    metrics = ["accuracy"] if weights is None else [["accuracy"], []]
    model.compile(optimizer=optimizer, loss=loss, loss_weights=weights, metrics=metrics)
    return model


def peak_memory() -> int:
    """Return the most bytes that this process has held in memory.

    What `getrusage` tells on Linux is at least what the parent held when it started the process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def main() -> None:
    name, number_format = sys.argv[1:]
    keras.mixed_precision.set_global_policy(number_format)
    keras.utils.set_random_seed(0)
    model = compiled(name)
    rng = np.random.default_rng(0)
    size = BATCH_SIZES[name[0]]
    ready = {
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "batch_size": size,
        "parameters": sum(math.prod(weights.shape) for weights in model.trainable_weights),
    }
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        count = int(line)
        images = rng.random((count, *model.input_shape[1:]), dtype=np.float32)
        labels = np.eye(10, dtype=np.float32)[rng.integers(10, size=count)]
        targets = [labels, images] if len(model.outputs) == 2 else labels
        if name == "A-autoencoder":
            targets[1] = images.reshape(count, -1)
        clock = SecondEpoch()
        model.fit(images, targets, batch_size=size, epochs=2, verbose=0, callbacks=[clock])
        print(json.dumps({"seconds": clock.seconds, "peak_memory": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
