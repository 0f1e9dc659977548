"""A shop of a few articles and a dozen FAQ entries, and what customers ask it: covered or not."""

from pathlib import Path

ARTICLES = {
    "shipping.md": (
        "# Shipping\n\nWe ship every parcel within two working days. Delivery takes three to five days inside the "
        "country.\n\n## Tracking\n\nYou get a tracking number by e-mail as soon as the parcel leaves our warehouse.\n"
    ),
    "退换货.md": (
        "# 退换货\n\n收到商品后七天内可以申请退货。退货的商品须保持完好。\n\n## 退款\n\n我们收到退回的商品后，三个工作日内退款，款项原路返回。\n"
    ),
    "营业时间.md": "# 营业时间\n\n门店每天上午九点到晚上八点营业，节假日照常营业。\n",
}
FAQ = """question,answer,similar,language
How long does delivery take?,Three to five days inside the country.,when will my order arrive|delivery time,en
Where is my parcel?,You find it with the tracking number in our e-mail.,track my order|order status,en
When are you open?,We are open from 9 am to 8 pm every day.,opening hours|business hours,en
How do I return an item?,Send it back within seven days.,send something back|return policy,en
How do I pay?,We take cards and bank transfer.,payment methods|can I pay by card,en
How do I cancel my order?,Write to us before it is shipped.,cancel an order|stop my order,en
你们什么时候营业？,每天上午九点到晚上八点营业。,几点开门|营业时间是什么时候,zh
怎么退货？,收到商品后七天内可以申请退货。,我想退货|如何退货,zh
运费是多少？,全国统一运费十元，满九十九元包邮。,邮费多少|包邮吗,zh
怎么付款？,支持银行卡和微信支付。,可以用微信支付吗|支付方式,zh
怎么开发票？,在订单页面点击开发票。,我要发票|如何开具发票,zh
怎么取消订单？,发货前在订单页面点击取消。,取消订单|我不想要了,zh
"""
COVERED = {
    "en": [
        "track my parcel", "when are you open on monday", "where is my order", "how do I send a return", "cancel order",
        "which payment methods do you take", "how long until delivery", "can I pay with a card",
        "what are your hours", "I want to return something", "do you give a tracking number", "order status please",
    ],
    "zh": [
        "退款什么时候到账", "我要退货", "怎么用微信付款", "邮费要多少钱", "发票怎么弄", "订单可以取消吗", "请问你们的营业时间", "怎么申请退货",
        "能用银行卡支付吗", "運費多少", "门店几点营业", "如何取消我的订单",
    ],
}  # fmt: skip
UNCOVERED = {
    "en": [
        "when will it rain", "how do I fix my bike", "do you sell pizza", "what is the weather",
        "how do I learn english", "who won the match", "why is the sky blue", "where can I park my car",
        "what is the meaning of life", "sing me a song", "how tall is the tower", "which film is good",
    ],
    "zh": [
        "什么时候下雨", "我的包裹什么时候到", "你们可以唱歌吗", "怎么修电脑", "如何学习英语", "为什么天空是蓝色的", "请问附近有饭店吗", "什么时候放假",
        "可以推荐一部电影吗", "怎么做红烧肉", "什么时候", "我的密码是什么",
    ],
}  # fmt: skip


def write_shop(folder: Path, *, language: str = "", entries: int = 99) -> Path:
    """documents/ and faq.csv under `folder`; of one language those articles, and so many entries."""
    (folder / "documents").mkdir(parents=True)
    for name, text in ARTICLES.items():
        if language in ("", "en" if name.isascii() else "zh"):
            (folder / "documents" / name).write_text(text, encoding="utf-8")
    head, *rows = FAQ.splitlines()
    rows = [row for row in rows if row.endswith(language)][:entries]
    (folder / "faq.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return folder
