"""The articles' nets in plain PyTorch, as a tutorial trains them: eager, with a `DataLoader`.

    python torch_eager.py NET FORMAT          FORMAT is float32 or bfloat16

Speaks with `rungwise bench` through its standard streams: once ready it prints a line of JSON that
describes it, then for each line with a number of images it trains on so many and prints the
seconds. It needs PyTorch and nothing of rungwise.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZES = {"A": 8, "B": 500, "C": 32, "D": 6000, "E": 32}
"""The batch size of each article; E does not name its own, 32 is Keras's default."""
CIFAR10, MNIST = (3, 32, 32), (1, 28, 28)


def conv(channels: int, width: int, padding: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(channels, width, 3, padding=padding), nn.ReLU()]


def dense(inputs: int, width: int) -> list[nn.Module]:
    return [nn.Linear(inputs, width), nn.ReLU()]


def strided_steps() -> list[nn.Module]:
    def strided(channels: int, width: int) -> nn.Module:
        return nn.Conv2d(channels, width, 2, stride=2)

    def pool() -> nn.Module:
        return nn.MaxPool2d(2, ceil_mode=True)

    convolutions = [strided(1, 32), strided(32, 16), pool(), strided(16, 8), pool()]
    last = [nn.ZeroPad2d((0, 1, 0, 1)), strided(8, 8), pool()]
    return [*convolutions, *last, nn.Flatten(), *dense(8, 128), *dense(128, 64)]


class TwoBranches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(), *dense(784, 256), *dense(256, 128), *dense(128, 128)
        )
        self.decoder = nn.Sequential(*dense(128, 128), nn.Linear(128, 784), nn.Sigmoid())
        self.code = nn.Sequential(*dense(128, 128), *dense(128, 64))
        self.cnn = nn.Sequential(*strided_steps())
        self.head = nn.Sequential(*dense(64, 32), nn.Linear(32, 10))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        code = self.encoder(images)
        logits = self.head(self.code(code) + self.cnn(images))
        return logits, self.decoder(code).view_as(images)


class Multitask(nn.Module):
    def __init__(self) -> None:
        super().__init__()

        def group(channels: int) -> list[nn.Module]:
            first = [*conv(channels, 64), nn.Dropout(0.1), *conv(64, 64), nn.Dropout(0.1)]
            return [*first, *conv(64, 64)]

        self.encoder = nn.Sequential(
            *group(1), nn.Dropout(0.1), nn.MaxPool2d(2), *group(64), nn.MaxPool2d(2)
        )
        self.classes = nn.Sequential(nn.Flatten(), *dense(64 * 49, 1024), nn.Linear(1024, 10))
        self.decoder = nn.Sequential(
            nn.Upsample(scale_factor=2),
            *conv(64, 64),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(64, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.encoder(images)
        return self.classes(features), self.decoder(features)


class GlobalAveragePool(nn.Module):
    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps.mean((2, 3))


def vgg_benchmark() -> nn.Module:
    def group(channels: int, width: int) -> list[nn.Module]:
        steps = [*conv(channels, width), *conv(width, width)]
        return [*steps, nn.Dropout(0.25), nn.MaxPool2d(2)]

    end = [*conv(128, 256), *conv(256, 256), GlobalAveragePool()]
    head = [*dense(256, 1024), nn.Dropout(0.25), nn.Linear(1024, 10)]
    return nn.Sequential(*group(3, 64), *group(64, 128), *end, *head)


def vgg_deep() -> nn.Module:
    def group(channels: int, width: int) -> list[nn.Module]:
        steps = [*conv(channels, width), *conv(width, width), nn.BatchNorm2d(width)]
        return [*steps, *conv(width, width), nn.MaxPool2d(2), nn.Dropout(0.25)]

    wide = [*conv(128, 256), *conv(256, 256), nn.BatchNorm2d(256)]
    wide += [*conv(256, 256), *conv(256, 256), *conv(256, 256), nn.BatchNorm2d(256)]
    end = [*conv(256, 512), *conv(512, 512), GlobalAveragePool()]
    head = [*dense(512, 1024), nn.Dropout(0.5), *dense(1024, 1024), nn.Dropout(0.5)]
    return nn.Sequential(*group(3, 64), *group(64, 128), *wide, *end, *head, nn.Linear(1024, 10))


def fashion(widths: tuple[int, ...], border: int = 0) -> nn.Module:
    steps: list[nn.Module] = [nn.ZeroPad2d(border)] if border else []
    channels, side = 1, 28 + 2 * border
    for width in widths:
        steps += conv(channels, width, padding=0)
        channels, side = width, side - 2
    features = channels * (side // 2) ** 2
    head = [*dense(features, 128), nn.Dropout(0.5), nn.Linear(128, 10)]
    return nn.Sequential(*steps, nn.MaxPool2d(2), nn.Dropout(0.25), nn.Flatten(), *head)


def first_cnn() -> nn.Module:
    convolutions = [*conv(1, 16), nn.MaxPool2d(2), *conv(16, 32), nn.MaxPool2d(2)]
    head = [*dense(32 * 49, 128), *dense(128, 128), nn.Linear(128, 10)]
    return nn.Sequential(*convolutions, nn.Flatten(), *head)


def mlp(*widths: int) -> nn.Module:
    steps: list[nn.Module] = [nn.Flatten()]
    inputs = 784
    for width in widths:
        steps += dense(inputs, width)
        inputs = width
    return nn.Sequential(*steps, nn.Linear(inputs, 10))


NETS: dict[str, Callable[[], nn.Module]] = {
    "A-cnn": lambda: nn.Sequential(*strided_steps(), nn.Linear(64, 10)),
    "A-autoencoder": TwoBranches,
    "B-benchmark": vgg_benchmark,
    "B-deep": vgg_deep,
    "C-mlp": lambda: mlp(128),
    "C-cnn": lambda: fashion((32, 64)),
    "C-conv3": lambda: fashion((32, 64, 128)),
    "C-conv4": lambda: fashion((32, 64, 128, 256)),
    "C-padding": lambda: fashion((32, 64, 128), border=2),
    "D-dense": lambda: mlp(128, 128),
    "D-cnn": first_cnn,
    "E-multitask": Multitask,
}


def make_optimizer(name: str, net: nn.Module) -> torch.optim.Optimizer:
    if name.startswith("E"):
        return torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    return torch.optim.Adam(net.parameters(), lr=0.001)


def loss_of(name: str, net: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    output = net(images)
    if not isinstance(output, tuple):
        return nn.functional.cross_entropy(output, labels)
    logits, pixels = output
    class_loss = nn.functional.cross_entropy(logits, labels)
    pixel_loss = nn.functional.mse_loss(pixels, images)
    if name.startswith("E"):
        return 0.9 * class_loss + 0.1 * pixel_loss
    return class_loss + pixel_loss


def train(
    name: str,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    loader: DataLoader[tuple[torch.Tensor, ...]],
    half: bool,
) -> float:
    """Train for an epoch and return the seconds."""
    net.train()
    running_loss = 0.0
    started = time.perf_counter()
    for images, labels in loader:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            loss = loss_of(name, net, images, labels)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        running_loss += loss.item()
    return time.perf_counter() - started


def random_images(name: str, count: int) -> TensorDataset:
    shape = CIFAR10 if name.startswith("B") else MNIST
    return TensorDataset(torch.rand(count, *shape), torch.randint(10, (count,)))


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
    torch.manual_seed(0)
    net = NETS[name]()
    optimizer = make_optimizer(name, net)
    size = BATCH_SIZES[name[0]]
    parameters = sum(tensor.numel() for tensor in net.parameters())
    ready = {"torch": torch.__version__, "batch_size": size, "parameters": parameters}
    print(json.dumps(ready), flush=True)
    for line in sys.stdin:
        loader = DataLoader(random_images(name, int(line)), batch_size=size, shuffle=True)
        seconds = train(name, net, optimizer, loader, number_format == "bfloat16")
        print(json.dumps({"seconds": seconds, "peak_memory": peak_memory()}), flush=True)


if __name__ == "__main__":
    main()
