"""What network weights belong to, by a key that no other network has."""

from collections.abc import Collection

MARKS = {
    "base.0.conv_s.weight": "S3D (s3d_k400)",
    "Conv3d_1a_7x7.conv3d.weight": "piergiaj's I3D (i3d_rgb_k400)",
    "conv3d_1a_7x7.conv3d.weight": "hassony2's I3D (i3d_rgb_k400_video_features)",
    "stem.0.weight": "torchvision's R(2+1)D (r2plus1d_18_k400)",
    "feature.conv1.spatial_conv.weight": (
        "leftthomas' R2Plus1D (r2plus1d_18_ucf101_leftthomas)"
    ),
    "feature.0.weight": "leftthomas' C3D (c3d_ucf101_leftthomas)",
    "base_model.conv1.weight": "TSN or TSM on a ResNet (tsm_resnet50_k400_8seg)",
    "base_model.features.0.0.weight": (
        "TSN or TSM on MobileNetV2 (tsm_mobilenetv2_k400_8seg)"
    ),
    "inception3a.branch1.conv.weight": (
        "an Inception of IBM's study (ibm_mini_k400_i3d_f8), or GoogLeNet"
    ),
    "layer1.0.conv1.weight": (
        "a ResNet of IBM's study (ibm_k400_tam_resnet_50_f32), or of images"
    ),
    "s1.pathway0_stem.conv_xy.weight": "X3D (x3d_m_k400)",
    "s1.pathway0_stem.conv.weight": "a ResNet of PySlowFast (slowfast_8x8_r50_k400)",
    "rev_backbone.layers.0.F.norm.weight": "reversible MViT (rev_mvit_b_16x4_k400)",
    "blocks.0.attn.qkv.weight": "MViT (mvitv2_s_16x4_k400)",
}
"""The first key of these that weights have says what they are of; in parentheses, a
variant of the zoo. torchvision's R(2+1)D has layers called as a ResNet's, so that it
stands before them."""


def recognised(keys: Collection[str], own: Collection[str]) -> str | None:
    """Say what weights look like; None for unknown ones, and for the network's own.

    keys: of the weights.
    own: of the network into which they should go.
    """
    mark = next((mark for mark in MARKS if mark in keys), None)
    return None if mark is None or mark in own else MARKS[mark]
