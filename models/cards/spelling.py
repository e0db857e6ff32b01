"""The one spelling in which upstream names are compared."""

import re


def spelled(name: str) -> str:
    """An upstream name in the one spelling in which names are compared.

    Capitals, blanks, dashes and parentheses make no difference. What follows "__" names
    a clip or a check of the same network.
    """
    name = re.sub(r"(__(native|nlscaled|ckpt))+$", "", name)
    return re.sub("[ _()-]+", "_", name.lower()).strip("_")
