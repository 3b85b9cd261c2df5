"""`rungwise compare`: finished runs beside each other."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rungwise.interfaces.cli.options import Prediction, Switch
from rungwise.interfaces.cli.printing import print_json, print_result


def compare(
    runs: Annotated[list[Path], Parameter(negative="", consume_multiple=True)],
    /,
    *,
    device: str = "auto",
    prediction: Prediction = Prediction(),
    json: Switch = False,
) -> None:
    """Compare finished runs of one data set on their validation images, and write the report.

    Runs of one recipe with different seeds are taken together; each recipe is compared with the
    first one, paired over the seeds that all of them have. Each predicts as it says, unless views
    or temperatures are given. Nothing is trained, and the test set stays sealed.

    Args:
        runs: Folders of finished runs, of two recipes or more.
        device: auto, cpu, cuda or cuda:N.
        json: Print the result as one JSON value on stdout.
    """
    from rungwise.interfaces.comparing import compare as compare_runs

    views, scaling = prediction.views, prediction.temperature_scaling
    result = compare_runs(runs, views=views, temperature_scaling=scaling, device=device)
    if json:
        print_json(result.to_dict())
    else:
        print_result(result)
