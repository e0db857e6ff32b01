"""Networks with the weights of images see a clip that stands still as its picture."""

import pytest
import torch
import torchvision
from torch import nn

import models
from models import inflation
from models.cards import imagenet
from tests.recipe import relative_l2


def images(name: str) -> nn.Module:
    """A 2D network of torchvision with random weights and statistics."""
    torch.manual_seed(0)
    more = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
    network = getattr(torchvision.models, name)(**more).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


def seen(network: nn.Module, picture: torch.Tensor) -> torch.Tensor:
    """What a 2D network sees in a picture: the input of its classifier."""
    found = []
    head = network.classifier if hasattr(network, "classifier") else network.fc
    head.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    network(picture)
    return found[0]


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("ibm_mini_k400_resnet_18_f8", 2),
        # Zeros beyond the clip's ends reach as far as the kernels of all layers do.
        ("ibm_mini_k400_i3d_resnet_18_f8", 41),
        # Not S3D-ResNet, which rectifies where the 2D network adds.
        ("ibm_mini_k400_inception_v1_f8", 2),
        ("ibm_mini_k400_i3d_f8", 61),
        ("ibm_mini_k400_s3d_f8", 3),
        ("tsn_resnet50_k400_8seg", 2),
        ("tsn_mobilenetv2_k400_8seg", 2),
    ],
)
def test_a_clip_that_stands_still_is_seen_as_its_picture(name, frames):
    extractor = models.create(name)
    picture = torch.rand(1, 3, 64, 64, generator=torch.manual_seed(1))
    network = images(imagenet.image_network(extractor.card))
    inflation.inflate(extractor.network, network.state_dict())
    clip = picture[:, :, None].expand(-1, -1, frames, -1, -1)
    with torch.inference_mode():
        outputs = extractor.network(clip)
        expected = seen(network, picture)
    steps = outputs.get("features_per_step", outputs.get("features_per_segment"))
    middle = steps[:, steps.shape[1] // 2]
    # Norms behind convolutions in time divide by the root of 1 + eps.
    slack = 2e-2 if "s3d" in name else 1e-4
    assert torch.linalg.norm(middle - expected) < slack * torch.linalg.norm(expected)


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("c2d_nopool_8x8_r50_k400", 1),
        # The last nine blocks span three frames each.
        ("slow_8x8_r50_k400", 19),
        ("slowfast_4x16_r50_k400", 8 * 19),
    ],
)
def test_pyslowfasts_first_pathway_sees_the_picture(name, frames):
    extractor = models.create(name)
    picture = torch.rand(1, 3, 32, 32, generator=torch.manual_seed(1))
    network = images(imagenet.image_network(extractor.card))
    inflation.inflate(extractor.network, network.state_dict())
    maps = []
    extractor.network.head.register_forward_pre_hook(
        lambda _, given: maps.append(given[0][0])
    )
    with torch.inference_mode():
        extractor.network(picture[:, :, None].expand(-1, -1, frames, -1, -1))
        expected = seen(network, picture)
    middle = maps[0][:, :, maps[0].shape[2] // 2].mean(dim=(2, 3))
    assert relative_l2(middle, expected) < 1e-4


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("tsm_flow_resnet50_k400_8seg", "base_model.conv1.weight"),
        ("ibm_mini_k400_flow_i3d_resnet_18_f8", "conv1.weight"),
    ],
)
def test_networks_of_flow_begin_with_the_mean_of_the_colours(name, key):
    extractor = models.create(name)
    network = images(imagenet.image_network(extractor.card))
    inflation.inflate(extractor.network, network.state_dict())
    kernel = extractor.network.state_dict()[key]
    mean = network.conv1.weight.detach().mean(dim=1)
    assert kernel.shape[1] == 10
    for channel in kernel.unbind(1):
        # In 3D, it is shared out among the frames.
        whole = channel.sum(dim=1) if channel.dim() == 4 else channel
        assert relative_l2(whole, mean) < 1e-6


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("i3d_nln_8x8_r50_k400", ("head.", "_nonlocal")),
        ("slowfast_8x8_r50_k400", ("head.", ".pathway1_", "_fuse.")),
        ("ibm_mini_k400_tam_resnet_18_f8", ("fc.", ".tam.")),
        ("tsm_resnet50_nl_k400_8seg", ("new_fc.", ".nl.")),
        ("tsm_resnet50_ssv2_8seg", ("new_fc.",)),
    ],
)
def test_what_no_picture_has_keeps_its_own_weights(name, kept):
    extractor = models.create(name)
    before = {k: v.clone() for k, v in extractor.network.state_dict().items()}
    network = images(imagenet.image_network(extractor.card))
    keys = inflation.inflate(extractor.network, network.state_dict())
    assert all(any(part in key for part in kept) for key in keys), keys
    assert all(any(part in key for key in keys) for part in kept)
    after = extractor.network.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in keys)


def test_networks_without_a_likeness_in_2d_say_so():
    with pytest.raises(imagenet.NotInflatable, match="s3d_k400 has no 2D network"):
        imagenet.image_network(models.card("s3d_k400"))


def test_the_file_of_the_images_is_found_by_its_name():
    card = imagenet.with_image_weights(models.card("tsm_resnet50_ssv2_8seg"))
    assert card.checkpoint.file == "resnet50-0676ba61.pth"
    assert card.checkpoint.sha256 == "0676ba61"
