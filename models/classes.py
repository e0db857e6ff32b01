"""The class lists that logits follow."""

from functools import cache


@cache
def class_names(classes: str) -> tuple[str, ...]:
    """The class names of a list, in the order of the logits.

    `classes` is a card's `classes`; "kinetics400" is the one list so far: its 400
    labels in alphabetical order, as torchvision publishes them with its weights.

    Raises KeyError for another list.
    """
    if classes != "kinetics400":
        raise KeyError(f"no class list {classes!r}; there is 'kinetics400'")
    from torchvision.models.video import R2Plus1D_18_Weights

    return tuple(R2Plus1D_18_Weights.KINETICS400_V1.meta["categories"])
