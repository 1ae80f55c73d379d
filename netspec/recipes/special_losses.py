"""Losses for skewed classes, for segmentation, for rankings and for distances."""

from typing import Annotated

from pydantic import Field

from netspec.dims import pretty_shape
from netspec.ops import Tensor
from netspec.ops.core.arguments import Probability
from netspec.recipes.base import Column
from netspec.recipes.losses import ClassLoss, Loss, LossMemory

Amount = Annotated[float, Field(ge=0)]
Smooth = Annotated[float, Field(gt=0)]
Margin = Annotated[float, Field(gt=0)]


class FocalLoss(ClassLoss):
    """Cross-entropy in which what is right already counts less: −(1 − p)^γ · log p of the class (Lin et al. 2017).

    ``weight`` and ``ignore_index`` are those of `cross_entropy`.
    """

    name = "focal"
    main = "gamma"
    torch = "netspec.train.optimize.criteria.focal"
    takes_means = True

    gamma: Amount = 2.0
    """how much less what is right already counts; 0 is the cross-entropy"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(5, 5, 8, False)


class BinaryFocalLoss(Loss):
    """The focal loss of the sigmoid of scores (Lin et al. 2017), as torchvision's; the target is 0 or 1."""

    name = "binary_focal"
    main = "gamma"
    torch = "netspec.train.optimize.criteria.binary_focal"
    task = "binary"
    metrics = ("accuracy",)

    gamma: Amount = 2.0
    """how much less what is right already counts; 0 is the binary cross-entropy"""
    alpha: Probability | None = 0.25
    """the weight of a 1, that of a 0 being 1 − alpha; null: both count alike"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(24, 32, 12, True) if self.alpha is None else LossMemory(28, 44, 8, True)


class DiceLoss(Loss):
    """1 − 2·|A ∩ B| / (|A| + |B|) of each class, by the softmax of scores; averaged over classes, then over images.

    It is for classes of each pixel (Milletari et al. 2016; as MONAI's, an image at a time). A class that an image lacks
    is to have no pixel in it. Pixels whose target is ``ignore_index`` do not count.
    """

    name = "dice"
    torch = "netspec.train.optimize.criteria.dice"
    task = "classes"
    takes_means = False
    by_row = True
    metrics = ("accuracy",)

    cross_entropy: Amount = 0.0
    """how much of the cross-entropy is added, the mean over the pixels of an image"""
    background: bool = True
    """count class 0, too"""
    smooth: Smooth = 1e-5
    """what is added to both sides of the fraction, which is then defined without a pixel"""
    ignore_index: int | None = None
    """the target of pixels that do not count; default: the one that the data mark as padding"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(14, 24, 8, False) if self.cross_entropy else LossMemory(10, 19, 5, False)

    def misfit(self, output: Tensor, column: Column) -> str | None:
        if len(output.shape) < 4:
            shape = pretty_shape(output.shape)
            return f"`dice` compares the pixels of images, [N, classes, H, W], but the output is {shape}"
        return super().misfit(output, column)


class BinaryDiceLoss(Loss):
    """1 − 2·|A ∩ B| / (|A| + |B|) by the sigmoid of scores, of each image, and of each of its channels."""

    name = "binary_dice"
    torch = "netspec.train.optimize.criteria.binary_dice"
    task = "binary"
    by_row = True
    metrics = ("accuracy",)

    cross_entropy: Amount = 0.0
    """how much of the binary cross-entropy is added"""
    smooth: Smooth = 1e-5
    """what is added to both sides of the fraction, which is then defined without a pixel"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(4, 12, 12, True) if self.cross_entropy else LossMemory(4, 8, 8, True)

    def misfit(self, output: Tensor, column: Column) -> str | None:
        if len(output.shape) < 3:
            shape = pretty_shape(output.shape)
            return f"`binary_dice` compares the pixels of images, [N, H, W] or [N, 1, H, W], but the output is {shape}"
        return super().misfit(output, column)


class RankingLoss(Loss):
    """Base of those that compare the order of the scores of a row with that of its target: [N, items] both."""

    takes_means = False

    def misfit(self, output: Tensor, column: Column) -> str | None:
        if len(output.shape) != 2 or output.shape[1] == 1:
            shape = pretty_shape(output.shape)
            return f"`{self.name}` ranks the items of a row, [N, items], but the output is {shape}"
        return super().misfit(output, column)


class MarginRankingLoss(RankingLoss):
    """max(0, margin − (ŷᵢ − ŷⱼ)) of all items of a row with yᵢ > yⱼ: their mean, and that over the rows."""

    name = "margin_ranking"
    main = "margin"
    torch = "netspec.train.optimize.criteria.margin_ranking"

    margin: Amount = 1.0
    """the lead of the better item from which on nothing is to be learned"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(5, 13, 8, False, by_pair=True)


class RankNetLoss(RankingLoss):
    """log(1 + e^(ŷⱼ − ŷᵢ)) of all items of a row with yᵢ > yⱼ: their mean, and that over rows (Burges et al. 2005)."""

    name = "rank_net"
    torch = "netspec.train.optimize.criteria.rank_net"

    @property
    def memory(self) -> LossMemory:
        return LossMemory(5, 17, 8, False, by_pair=True)


class ContrastiveLoss(Loss):
    """d² of a pair that is alike, target 1, and max(0, margin − d)² of another (Hadsell et al. 2006).

    The output is the distance d of the two.
    """

    name = "contrastive"
    main = "margin"
    torch = "netspec.train.optimize.criteria.contrastive"
    task = "binary"
    odds = False
    takes_means = False

    margin: Margin = 1.0
    """the distance from which on pairs that are not alike are far enough apart"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(5, 17, 19, True)


class TripletMarginLoss(Loss):
    """max(0, |a − p| − |a − n| + margin) of three vectors a row: an anchor, one that is like it and one that is not.

    The output is [N, 3, features]. It reads no target.
    """

    name = "triplet_margin"
    main = "margin"
    torch = "netspec.train.optimize.criteria.triplet_margin"
    compares = False

    margin: Margin = 1.0
    """how much farther off the one is to be that is not like the anchor"""
    p: Annotated[float, Field(ge=1)] = 2.0
    """the norm of the distance"""
    swap: bool = False
    """take the distance of the other two where that is less"""

    @property
    def memory(self) -> LossMemory:
        return LossMemory(4, 5, 4, False) if self.swap else LossMemory(3, 4, 5, False)

    def misfit(self, output: Tensor, column: Column) -> str | None:
        if len(output.shape) != 3 or output.shape[1] != 3:
            shape = pretty_shape(output.shape)
            return f"`triplet_margin` takes three vectors a row, [N, 3, features], but the output is {shape}"
        return None
