"""What stands before a number and says what it is: an order, a version, a telephone. Pure."""

import re

_ORDER = re.compile(
    r"(?:order|invoice|parcel|tracking|ticket|case|ref|reference|part|item|isbn|sku|serial|订单|单|快递|运单|型号|货号|书号"
    r"|编号|序列号)[ ]?(?:no\.?|number|num|id|code|号码?)?[ #:：.]{0,3}$",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"(?:(?<![a-z])v|(?<![a-z])ver\.?|versions?|release|build|firmware|upgraded? to|updated? to|版本号?|固件|升级到|更新到)"
    r"[ :：]{0,2}$",
    re.IGNORECASE,
)
_REACH = 24  # characters looked back


def names_an_order(text: str, start: int) -> bool:
    """Whether the words before ``start`` announce a number of an order, a parcel, a part or a book."""
    return _ORDER.search(text[max(start - _REACH, 0) : start]) is not None


def names_a_version(text: str, start: int) -> bool:
    """Whether the words before ``start`` announce a version of a program."""
    return _VERSION.search(text[max(start - _REACH, 0) : start]) is not None
