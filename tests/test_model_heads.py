"""Networks for other classes than those of their cards, and files that name theirs."""

import pytest
import torch

import models
from models import networks

TSN = "ibm_mini_ssv2_resnet_18_f8"
OWN = ("hop", "skip", "jump")


@pytest.fixture(scope="module")
def published() -> dict:
    """Weights of a network for the card's 87 classes."""
    return models.create(TSN, seed=1).network.state_dict()


def test_other_classes_get_a_head_of_their_own_and_all_else_is_the_checkpoints(
    published,
):
    extractor = models.create(TSN, published, classes=OWN)
    assert extractor.classes == OWN
    assert extractor.anew == ("fc.weight", "fc.bias")
    assert extractor.card.features["logits"].dim == 3
    for key, value in extractor.network.state_dict().items():
        if key not in extractor.anew:
            assert torch.equal(value, published[key]), key
    outputs = extractor(torch.rand(2, 3, 8, 32, 32))
    assert outputs["logits"].shape == (2, 3)
    assert outputs["logits_per_step"].shape == (2, 8, 3)


def test_the_cards_own_classes_keep_the_head(published):
    names = models.class_names("mini_ssv2")
    extractor = models.create(TSN, published, classes=names)
    assert extractor.anew == ()
    assert torch.equal(extractor.network.fc.weight, published["fc.weight"])
    # As many classes, but others: the weights of the head would mean nothing.
    assert models.create(TSN, published, classes=names[::-1]).anew


def test_a_file_that_names_its_classes_is_taken_with_them(tmp_path, published):
    trained = models.create(TSN, published, classes=OWN)
    path = tmp_path / "model.pt"
    state = trained.network.state_dict()
    torch.save({"model": TSN, "classes": list(OWN), "state_dict": state}, path)

    extractor = models.create(TSN, path)
    assert extractor.classes == OWN
    assert extractor.anew == ()
    clips = torch.rand(1, 3, 8, 32, 32)
    assert torch.equal(extractor(clips)["logits"], trained(clips)["logits"])

    assert models.create(TSN, path, classes=OWN).anew == ()
    assert models.create(TSN, path, classes=OWN[:2]).anew


def test_without_classes_everything_is_the_cards():
    extractor = models.create(TSN)
    assert extractor.card == models.card(TSN)
    assert extractor.classes == models.class_names("mini_ssv2")


def test_every_network_has_one_head():
    tried = set()
    for name in models.names():
        card = models.card(name)
        if card.network not in tried:
            tried.add(card.network)
            keys = networks.head_keys(card)
            with torch.device("meta"):
                layer = networks.head(networks.build(card), card)
            ends = [key.rpartition(".")[2] for key in keys]
            assert sorted(ends) == ["bias", "weight"], name
            assert {len(p) for p in layer.parameters()} == {card.arguments["classes"]}
