"""The page of a climb."""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rungwise.augment import Shift
from rungwise.data import load
from rungwise.errors import RunError
from rungwise.interfaces.cli.report import report
from rungwise.ladder import job as job_module
from rungwise.ladder.climb import Climb
from rungwise.ladder.reading import read
from rungwise.ladder.rung import Ladder, Rung
from rungwise.models import MLP
from rungwise.report.climb_page import write_climb_report
from rungwise.report.records import read_records
from rungwise.report.waterfall import steps
from rungwise.training.recipe import Recipe

CHROMIUM = Path("/usr/bin/chromium")
PLAIN = Recipe(
    name="plain",
    model=MLP(hidden_widths=(4,)),
    validation=0.2,
    epochs=1,
    batch_size=64,
    precision="float32",
)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=//evil.example/x onerror=alert(2)>',
    "{{ 7 * 7 }}",
    "$\\frac{",
    "_hidden",
)


def page_of(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def copied(folder: Path, root: Path) -> Path:
    """Copy all runs of a climb, and return where its folder is then."""
    shutil.copytree(folder.parents[1], root / "moved")
    return root / "moved" / "climbs" / folder.name


def test_the_page_tells_everything_in_its_order(climbed: Path) -> None:
    page = page_of(climbed)

    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Verdicts",
        "Gains, rung by rung",
        "Training",
        "What tasks confuses",
        "Whether the probabilities of tasks hold",
        "Most confident mistakes of tasks",
        "Reconstructions",
        "Augmented images",
        "The net of tasks",
        "Data and splits",
        "Environment",
        "Commands",
        "Recipes",
        "Files",
    ]
    assert "<h1>Two rungs &amp; a &lt;title&gt;</h1>" in page
    assert "&lt;b&gt;nothing&lt;/b&gt; yet" in page
    assert "Sealed. Gains are measured on validation images" in page
    assert "1 change was measured on validation images with 2 seeds" in page
    assert "50.00%" in page  # The article's figure.
    assert load("digits").fingerprint in page
    assert "rungwise climb x" in page
    assert page.count("<details>") == 2
    assert page.count("data:image/png;base64,") == page.count("<img ") == 8


def test_the_page_needs_nothing_but_itself(climbed: Path) -> None:
    page = page_of(climbed)

    assert not re.search(r"https?://|<script|<link[^>]*stylesheet|@import|url\(", page)
    assert re.findall(r'src="(?!data:)', page) == []
    links = re.findall(r'href="(?!data:)(.*?)"', page)
    assert links
    assert all((climbed / link).is_file() for link in links)


def test_every_picture_is_there_in_two_formats(climbed: Path) -> None:
    names = {path.name for path in (climbed / "figures").iterdir()}

    assert {Path(name).stem for name in names} == {
        *("waterfall", "curves", "confusion", "reliability", "mistakes", "network"),
        *("reconstructions-tasks", "augmented-tasks"),
    }
    assert len(names) == 16


def test_the_verdict_table_holds_the_records_figures(climbed: Path) -> None:
    records = json.loads((climbed / "climb.json").read_text())
    with (climbed / "tables" / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert [row["rung"] for row in rows] == ["plain", "tasks"]
    for row, rung in zip(rows, records["rungs"], strict=True):
        assert row["change"] == rung["change"]
        assert row["verdict"] == (rung["verdict"] or "")
        assert float(row["val_accuracy"]) == rung["val_accuracy"]["mean"]
        assert float(row["val_std"]) == rung["val_accuracy"]["std"]
        assert float(row["test_accuracy"]) == rung["test_accuracy"]["mean"]
        assert float(row["seconds"]) == rung["seconds"]
        assert float(row["flops"]) == rung["flops"]
    gain = rows[1]
    assert rows[0]["gain"] == ""
    assert float(gain["gain"]) == records["rungs"][1]["gain"]
    assert [float(gain["gain_low"]), float(gain["gain_high"])] == records["rungs"][1]["interval"]
    for name in ("seed_deviation", "image_deviation", "p_value"):
        assert float(gain[name]) == records["rungs"][1]["gain_details"][name]


def test_the_other_tables_hold_the_records_figures(climbed: Path) -> None:
    lines = [json.loads(line) for line in (climbed / "results.jsonl").read_text().splitlines()]
    tables: dict[str, list[dict[str, str]]] = {}
    for path in (climbed / "tables").iterdir():
        with path.open(newline="") as file:
            tables[path.stem] = list(csv.DictReader(file))

    for row, line in zip(tables["seeds"], lines, strict=True):
        assert (row["rung"], row["seed"]) == (line["rung"], str(line["seed"]))
        assert float(row["test_accuracy"]) == line["test"]["accuracy"]
        assert row["split"] == line["validation"]["fingerprint"]
    images = sum(int(cell) for row in tables["confusion"] for cell in list(row.values())[1:])
    assert images == 2 * 359 == sum(int(row["images"]) for row in tables["calibration"])
    wrong = [line["validation"] for line in lines if line["rung"] == "tasks"]
    counts = [sum(map(sum, one["confusion"])) * (1 - one["accuracy"]) for one in wrong]
    assert len(tables["mistakes"]) == round(sum(counts))
    assert all(row["true_class"] != row["answer"] for row in tables["mistakes"])
    assert all(row["image"].startswith("train[") for row in tables["mistakes"])


def test_the_records_alone_give_the_same_page_and_nothing_is_trained(
    climbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "Training", None)
    before = {path: path.read_bytes() for path in climbed.rglob("*") if path.is_file()}

    write_climb_report(climbed)

    assert {path: path.read_bytes() for path in climbed.rglob("*") if path.is_file()} == before


def test_a_climb_that_was_moved_is_drawn_from_the_runs_beside_it(
    climbed: Path, tmp_path: Path
) -> None:
    folder = copied(climbed, tmp_path)
    shutil.rmtree(folder / "figures")

    write_climb_report(folder)

    assert len(list((folder / "figures").iterdir())) == 16
    assert str(folder) in page_of(folder)


def test_gone_runs_and_other_data_leave_a_sentence(climbed: Path, tmp_path: Path) -> None:
    folder = copied(climbed, tmp_path)
    path = folder / "circumstances.json"
    changed = json.loads(path.read_text())
    changed["dataset"]["fingerprint"] = "0" * 64
    path.write_text(json.dumps(changed))

    write_climb_report(folder)

    assert page_of(folder).count("<img ") == 8  # As they were drawn before.
    assert "The data set digits is not what the climb measured" in page_of(folder)
    shutil.rmtree(folder / "figures")
    for run in (tmp_path / "moved" / "digits").iterdir():
        shutil.rmtree(run)
    write_climb_report(folder)
    assert page_of(folder).count("<img ") == 3  # Waterfall, confusion, network.
    assert page_of(folder).count("Left out: ") == 5


def test_hostile_names_are_text(climb_with_report: Any, tmp_path: Path) -> None:
    digits = load("digits")
    assert digits.test is not None
    names = (*HOSTILE, *digits.train.class_names[len(HOSTILE) :])
    dataset = replace(
        digits,
        name="<i>digits</i>",
        train=replace(digits.train, class_names=names),
        test=replace(digits.test, class_names=names),
    )

    page = page_of(climb_with_report(dataset, tmp_path / "<u>runs</u>"))

    assert "<script" not in page
    assert "<img src=//" not in page
    assert "<i>" not in page
    assert "<u>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page


def damaged_records() -> list[tuple[str, Any]]:
    """Return changes to a whole `climb.json`, each of which makes the records inconsistent."""
    return [
        ("no seeds of a rung", lambda climb: climb["rungs"][1].pop("seeds")),
        ("a rung without seeds", lambda climb: climb["rungs"][1].update(seeds=[])),
        ("too few lines", lambda climb: climb["rungs"][1].update(seeds=[0, 1, 2])),
        ("a seed that its base lacks", lambda climb: climb["rungs"][0].update(seeds=[0])),
        ("too few values", lambda climb: climb["rungs"][1]["gain_details"]["values"].pop()),
        ("a seed that no rung has", lambda climb: climb.update(seeds=[0, 1, 2])),
        ("a base that is gone", lambda climb: climb["rungs"][1].update(base="gone")),
        ("no reading", lambda climb: climb.pop("reading")),
        ("half a final net", lambda climb: climb.update(final={"rung": "tasks"})),
    ]


@pytest.mark.parametrize(("what", "damage"), damaged_records())
def test_inconsistent_records_are_refused(
    climbed: Path, tmp_path: Path, what: str, damage: Any
) -> None:
    folder = copied(climbed, tmp_path)
    climb = json.loads((folder / "climb.json").read_text())
    damage(climb)
    (folder / "climb.json").write_text(json.dumps(climb))

    with pytest.raises(RunError, match="are damaged or were written by another version"):
        write_climb_report(folder)


@pytest.fixture(scope="module")
def climbed_within_a_budget(climbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a climb's folder as a budget may leave it: the second rung has one seed, not two."""
    folder = copied(climbed, tmp_path_factory.mktemp("budget"))
    climb = json.loads((folder / "climb.json").read_text())
    tasks = climb["rungs"][1]
    gain = tasks["gain_details"]["values"][0]
    for figures in (tasks["val_accuracy"], tasks["test_accuracy"], tasks["gain_details"]):
        figures.update(mean=figures["values"][0], values=figures["values"][:1])
    for accuracy in (tasks["val_accuracy"], tasks["test_accuracy"]):
        accuracy["std"] = None
    tasks["gain_details"].update(seeds=[0], seed_deviation=None, further_seeds=None, p_value=1.0)
    tasks.update(seeds=[0], gain=gain, interval=None, verdict="unclear")
    final = {"rung": "plain", "model": "elsewhere/model.safetensors", "train_images": 1438}
    climb.update(
        budget=90.0,
        left_out=["measured with fewer than 2 seeds: tasks"],
        final={**final, "test_accuracy": {"mean": 0.25, "std": None, "values": [0.25]}},
    )
    (folder / "climb.json").write_text(json.dumps(climb))
    lines = (folder / "results.jsonl").read_text().splitlines()
    (folder / "results.jsonl").write_text("".join(f"{line}\n" for line in lines[:3]))
    (folder / "model.safetensors").write_bytes(b"a net")
    write_climb_report(folder)
    return folder


def test_a_budget_climb_says_what_it_left_out_and_which_net_to_use(
    climbed_within_a_budget: Path,
) -> None:
    page = page_of(climbed_within_a_budget)

    assert "<dt>Budget</dt><dd>1m30s</dd>" in page
    assert "<dd>0, 1; some rungs with the first of them only</dd>" in page
    assert "<li>measured with fewer than 2 seeds: tasks</li>" in page
    assert "Measured with one seed, which gives no verdict: tasks." in page
    assert '<th scope="col">seeds</th>' in page
    assert "paid for by wider intervals" in page
    assert "the line between the two slants" in page
    assert '<a href="model.safetensors">' in page
    assert "<dd>1438 training images</dd>" in page
    assert "What plain confuses" in page  # The final net's rung.
    assert f"rungwise predict {climbed_within_a_budget.resolve()}/model.safetensors" in page
    with (climbed_within_a_budget / "tables" / "seeds.csv").open(newline="") as file:
        rows = [(row["rung"], row["seed"]) for row in csv.DictReader(file)]
    assert rows == [("plain", "0"), ("plain", "1"), ("tasks", "0")]


@pytest.fixture(scope="module")
def left_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a leave-one-out climb with a final net, the test set sealed."""
    wide = replace(PLAIN, name="wide", model=MLP(hidden_widths=(8,)))
    shifted = replace(wide, name="shifted", augment=(Shift(pixels=1),))
    ladder = Ladder(
        name="small",
        data="digits",
        title="Three rungs",
        rungs=(
            Rung(recipe=PLAIN, change="four units"),
            Rung(recipe=wide, change="eight units", base="plain"),
            Rung(recipe=shifted, change="+ shift", base="wide"),
        ),
    )
    work = Climb(
        read(ladder, "leave-one-out").ladder,
        load("digits"),
        (0, 1),
        tmp_path_factory.mktemp("left-out") / "runs",
        torch.device("cpu"),
        fits=1,
        opens_test=False,
    )
    return write_climb_report(work.run().folder, work.dataset).parent


def test_a_leave_one_out_climb_has_its_page(left_out: Path) -> None:
    page = page_of(left_out)
    records = read_records(left_out)

    assert [rung["name"] for rung in records.rungs] == [
        *("shifted", "without-wide", "without-shifted")
    ]
    assert records.top == "shifted"
    assert "Leave-one-out. Each rung lacks one technique of the top rung" in page
    assert "2 changes were measured, by leave-one-out from shifted, on validation images" in page
    assert '<th scope="col" class="left">left out of</th>' in page
    assert '<th scope="col">test</th>' not in page
    assert "The test set stayed sealed: all figures are of validation images." in page
    assert "without a technique up to that of shifted" in page
    assert "The net to use" in page
    for rung, bar in zip(records.rungs[1:], steps(records)[1:], strict=True):
        assert bar.start is not None
        assert bar.start - bar.end == pytest.approx(rung["gain"])


@pytest.mark.parametrize("name", ["climb.json", "circumstances.json", "results.jsonl"])
def test_a_folder_without_its_records_is_refused(climbed: Path, tmp_path: Path, name: str) -> None:
    folder = copied(climbed, tmp_path)
    text = (folder / name).read_text()
    for content in ("{}", "[1]", "no json", text[: len(text) // 2]):
        (folder / name).write_text(content)
        with pytest.raises(RunError, match="are damaged") as damaged:
            report(folder)
        assert damaged.value.expected
        assert damaged.value.fix
    (folder / name).unlink()
    with pytest.raises(RunError, match=f"no finished climb: it lacks {name}"):
        report(folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(RunError, match="is no finished climb"):
            report(folder)


def test_the_verb_prints_where_the_page_is(
    climbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(climbed)
    report(climbed, json=True)

    plain, as_json = capsys.readouterr().out.splitlines()
    assert plain == str(climbed.resolve() / "report.html")
    assert json.loads(as_json) == {"report": plain}


MEASURE = """<script>
const root = document.documentElement;
root.dataset.width = innerWidth;
root.dataset.overflow = root.scrollWidth - root.clientWidth;
root.dataset.broken = [...document.images].filter(image => !image.naturalWidth).length;
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
@pytest.mark.parametrize("width", [500, 1280])  # No window is narrower; phones' layout ends at 640.
def test_a_browser_shows_the_page_without_errors_or_sideways_scrolling(
    climbed: Path, tmp_path: Path, width: int
) -> None:
    page = page_of(climbed).replace("</body>", MEASURE)
    allowed = page.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    (tmp_path / "page.html").write_text(allowed, encoding="utf-8")

    browser = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'browser'}"),
            *(f"--window-size={width},2000", "--dump-dom", f"file://{tmp_path / 'page.html'}"),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert "CONSOLE" not in browser.stderr
    assert f'data-width="{width}"' in browser.stdout
    assert 'data-overflow="0"' in browser.stdout
    assert 'data-broken="0"' in browser.stdout
